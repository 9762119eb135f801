"""Kustomizations that a command on the host names: folders of its own, or of the internet's repositories."""

from __future__ import annotations

import re
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from simlab import kustomize
from simlab.kustomize import KustomizeError
from simlab.node.host import Host

if TYPE_CHECKING:
    from simlab.layout import Layout

_REMOTE: Final = re.compile(
    r"(https://)?(?P<host>github\.com)/(?P<name>[\w.-]+/[\w.-]+?)(\.git)?(/+(?P<path>[^?]*))?"
    r"(\?ref=(?P<ref>[\w./-]+)(&timeout=(?P<seconds>\d+)s)?)?"
)
_CLONE_SECONDS: Final = "27"  # as kustomize's own


class HostKustomize:
    """Renders what is in the host's files, or what its internet has."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._host = Host(layout)

    def render(self, target: str, folder: str) -> str:
        """Render a kustomization; `folder` is the command's working directory. Blocks.

        Raises KustomizeError.
        """
        if remote := _REMOTE.fullmatch(target):
            seconds = float(remote["seconds"] or _CLONE_SECONDS)
            path = remote["path"] or ""
            return self._render_remote(remote["host"], remote["name"], path, remote["ref"], seconds)
        path = target if target.startswith("/") else f"{folder}/{target}"
        found = self._host.local(path)
        if not found.is_dir():
            raise KustomizeError(
                f"must build at directory: not a valid directory: {target}: no such directory"
            )
        return kustomize.render(found)

    def _render_remote(self, host: str, name: str, path: str, ref: str | None, seconds: float) -> str:
        with tempfile.TemporaryDirectory() as clone:
            branch = ["--branch", ref] if ref else []
            url = f"https://{host}/{name}"
            trust = f"http.sslCAInfo={self._layout.pki / 'internet-ca.crt'}"
            command = ["git", "-c", trust, "clone", "--quiet", "--depth=1", *branch, url, clone]
            try:
                done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=seconds)
            except subprocess.TimeoutExpired:
                # kustomize 4.5, api/internal/utils/errtimeout.go
                raise KustomizeError(f"hit {seconds:.0f}s timeout running 'git clone {url}'") from None
            except OSError as error:
                raise KustomizeError(f"failed to run 'git clone {url}': {error}") from None
            if done.returncode != 0:
                raise KustomizeError(f"failed to run 'git clone {url}': {done.stderr.strip()}")
            return kustomize.render(Path(clone) / path)
