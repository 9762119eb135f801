"""The simulated host's files as a program on that host sees them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from simlab.machine import sandbox

if TYPE_CHECKING:
    from pathlib import Path

    from simlab.layout import Layout

_MAX_LINKS: Final = 40  # as the kernel: ELOOP after that many
MEMORY_MIB: Final = 32768
"""Memory of the simulated host."""


class Host:
    """Files, CPUs and memory of the simulated host. Paths are the host's own, absolute."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout

    def local(self, path: str) -> Path:
        """Where the runner has the host's `path`; symbolic links are followed within the host's root.

        The file need not exist. Raises OSError for a loop of links.
        """
        return self._on_runner(self._follow(path))

    def resolve(self, path: str) -> str:
        """`path` without symbolic links, as the host names it.

        Raises FileNotFoundError when it does not exist.
        """
        resolved = self._follow(path)
        if not self._on_runner(resolved).exists():
            raise FileNotFoundError(path)
        return resolved

    def read(self, path: str) -> bytes:
        """Content of a file. Raises OSError."""
        return self.local(path).read_bytes()

    def read_text(self, path: str, default: str = "") -> str:
        """Text of a file; `default` if there is none."""
        try:
            return self.read(path).decode(errors="replace")
        except FileNotFoundError:
            return default

    def cpuinfo(self) -> list[dict[str, str]]:
        """/proc/cpuinfo, one dictionary a CPU."""
        text = (sandbox.kernel_folder(self.layout) / "cpuinfo").read_text()
        cpus: list[dict[str, str]] = []
        for block in text.strip().split("\n\n"):
            fields = (line.partition(":") for line in block.splitlines())
            cpus.append({key.strip(): value.strip() for key, _, value in fields})
        return cpus

    def cpus(self) -> int:
        """How many CPUs the host has."""
        return len(self.cpuinfo())

    def kernel_release(self) -> str:
        """What `uname -r` prints on the host."""
        return (sandbox.kernel_folder(self.layout) / "osrelease").read_text().strip()

    def boot_id(self) -> str:
        """The host's boot id."""
        return (sandbox.kernel_folder(self.layout) / "boot_id").read_text().strip()

    def _on_runner(self, path: str) -> Path:
        return self.layout.host / path.lstrip("/")

    def _follow(self, path: str) -> str:
        done = "/"
        todo = [part for part in path.split("/") if part not in ("", ".")]
        links = 0
        while todo:
            part = todo.pop(0)
            if part == "..":
                done = done.rpartition("/")[0] or "/"
                continue
            step = f"{done.rstrip(chr(47))}/{part}"
            on_runner = self._on_runner(step)
            if not on_runner.is_symlink():
                done = step
                continue
            links += 1
            if links > _MAX_LINKS:
                raise OSError(f"too many levels of symbolic links: {path}")
            target = str(on_runner.readlink())
            if target.startswith("/"):
                done = "/"
            todo = [piece for piece in target.split("/") if piece not in ("", ".")] + todo
        return done
