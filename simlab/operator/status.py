"""The status of a CcRuntime, as operator v0.3.0's types write it: what counts nothing is left out."""

from __future__ import annotations

from typing import Any, Final

Object = dict[str, Any]

_PROGRESS: Final = ("inProgress", "completed", "failed")


class Status:
    """What the manager knows of an installation. Start with what the API has."""

    def __init__(self, runtime: Object) -> None:
        found = runtime.get("status") or {}
        completed = (found.get("installationStatus") or {}).get("completed") or {}
        self.total = int(found.get("totalNodesCount") or 0)
        self.runtime_name = str(found.get("runtimeName") or "")
        self.runtime_class = str(found.get("runtimeClass") or "")
        self.completed_count = int(completed.get("completedNodesCount") or 0)
        self.completed = list(completed.get("completedNodesList") or [])
        self.installed: list[str] = []

    @property
    def all_installed(self) -> bool:
        """Whether every node that should have the runtime has it."""
        return self.total > 0 and self.completed_count == self.total

    def as_object(self) -> Object:
        """Return the status for the API."""
        installation = {
            "inProgress": {
                "inProgressNodesCount": len(self.installed),
                "binariesInstallNodesList": self.installed,
            },
            "completed": {
                "completedNodesCount": self.completed_count,
                "completedNodesList": self.completed,
            },
            "failed": {},
        }
        return {
            "runtimeClass": self.runtime_class,
            "runtimeName": self.runtime_name,
            "totalNodesCount": self.total,
            "installationStatus": {
                part: {key: value for key, value in fields.items() if value}
                for part, fields in installation.items()
            },
            "unInstallationStatus": {part: {} for part in _PROGRESS},
            "upgradeStatus": {},
        }
