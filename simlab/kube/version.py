"""The version that the simulated cluster says it is."""

from __future__ import annotations

from typing import Final

MAJOR: Final = "1"
MINOR: Final = "24"
# The kubelets of the lab report the same.
GIT_VERSION: Final = "v1.24.8"


def document() -> dict[str, str]:
    """Return what `/version` answers."""
    return {
        "major": MAJOR,
        "minor": MINOR,
        "gitVersion": GIT_VERSION,
        "gitCommit": "",
        "gitTreeState": "clean",
        "buildDate": "2022-11-09T13:29:58Z",
        "goVersion": "go1.18.8",
        "compiler": "gc",
        "platform": "linux/amd64",
    }
