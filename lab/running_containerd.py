"""What the containerd that runs took from its configuration, which it reads once, at its start.

Source: containerd 1.6, pkg/cri/server/status.go (the verbose status has the CRI plugin's configuration) and
pkg/cri/config/config.go; cri-tools, cmd/crictl/info.go. containerd 2.0 tells no sandbox image there.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lab.containerd import PATH
from lab.node import CRICTL

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lab.host import Host

# Where it keeps images and snapshots unless its file says so (containerd 1.6, defaults/defaults_unix.go).
FOLDER = "/var/lib/containerd"
STALE = f"it was started before {PATH} was last edited: systemctl restart containerd"


@dataclass(frozen=True)
class RunningContainerd:
    """The CRI plugin's configuration, as the plugin tells it."""

    configuration: dict[str, Any]

    @classmethod
    def look(cls, host: Host) -> RunningContainerd | None:
        """Of the containerd that runs; None where none answers: it will read its file when it starts."""
        asked = host.run(f"{CRICTL} info", check=False, reads=True, quiet=True)
        return cls.parse(asked.stdout) if asked.succeeded else None

    @classmethod
    def parse(cls, text: str) -> RunningContainerd | None:
        """What `crictl info` prints; None where that tells of no configuration."""
        try:
            told = json.loads(text)["config"]
        except (ValueError, KeyError, TypeError):
            return None
        return cls(told) if isinstance(told, dict) else None

    @property
    def folder(self) -> str:
        """Where it keeps images and snapshots: `root` in its file."""
        return str(self.configuration.get("containerdRootDir") or FOLDER)

    def other_sandbox_image(self, wanted: str) -> str | None:
        """What is wrong with its sandbox image; None where it is the wanted one, or not told."""
        found = self.configuration.get("sandboxImage") or wanted
        return None if found == wanted else f"the running containerd uses {found}, as {STALE}"

    def missing_runtimes(self, names: Iterable[str]) -> str | None:
        """Which of these runtimes it does not know, though its file may; None where it knows them all."""
        known = (self.configuration.get("containerd") or {}).get("runtimes") or {}
        missing = [name for name in names if name not in known]
        return f"the running containerd has no runtime {', '.join(missing)}, as {STALE}" if missing else None
