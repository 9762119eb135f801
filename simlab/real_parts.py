"""Real programs in place of the lab's own, each named by an environment variable of who starts the lab.

The rest of the lab, and the suite, are the same with them. `docs/simulated-lab.md` says how to set them.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

# Variable -> what its path must be.
_PROGRAMS: Final = {"SSHD": "OpenSSH's sshd", "SIMPLE_KBS": "the server of simple-kbs"}
_ASSETS: Final = ("kube-apiserver", "etcd")
# envtest's (sigs.k8s.io/controller-runtime, pkg/envtest).
_ASSETS_VARIABLE: Final = "KUBEBUILDER_ASSETS"
VARIABLES: Final = (*_PROGRAMS, _ASSETS_VARIABLE)


class RealPartError(Exception):
    """A variable names something that cannot stand in a part's place; the message says what."""


@dataclass(frozen=True)
class RealParts:
    """The programs that were named; None where the lab's own stays."""

    sshd: Path | None = None
    simple_kbs: Path | None = None
    # The folder with kube-apiserver and etcd.
    kubernetes: Path | None = None

    def told(self) -> Iterator[str]:
        """Say each real part in a few words, for the lab file and so for reports."""
        if self.sshd:
            yield f"OpenSSH's sshd ({self.sshd})"
        if self.simple_kbs:
            yield f"simple-kbs ({self.simple_kbs})"
        if self.kubernetes:
            yield f"{' and '.join(_ASSETS)} ({self.kubernetes})"


def from_environment(environ: Mapping[str, str] = os.environ) -> RealParts:
    """Return the parts that `environ` names; an empty variable counts as none. Raises RealPartError."""
    return RealParts(
        sshd=_program(environ, "SSHD"),
        simple_kbs=_program(environ, "SIMPLE_KBS"),
        kubernetes=_assets(environ),
    )


def _program(environ: Mapping[str, str], variable: str) -> Path | None:
    text = environ.get(variable, "")
    if not text:
        return None
    if not _is_program(Path(text)):
        raise RealPartError(
            f"{variable} is {text!r}; it must be the absolute path of an executable file"
            f" ({_PROGRAMS[variable]}), or empty for the lab's own"
        )
    return Path(text)


def _assets(environ: Mapping[str, str]) -> Path | None:
    text = environ.get(_ASSETS_VARIABLE, "")
    if not text:
        return None
    missing = [name for name in _ASSETS if not _is_program(Path(text) / name)]
    if missing:
        raise RealPartError(
            f"{_ASSETS_VARIABLE} is {text!r}, without an executable file {' and '.join(missing)}; it must be"
            f" the absolute path of a folder with {' and '.join(_ASSETS)}, or empty for the lab's own"
        )
    return Path(text)


def _is_program(path: Path) -> bool:
    return path.is_absolute() and path.is_file() and os.access(path, os.X_OK)
