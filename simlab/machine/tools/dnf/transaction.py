"""Showing what a transaction changes, asking, and doing it."""

from __future__ import annotations

import fcntl
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from simlab.machine.system import rpmdb
from simlab.machine.tools.dnf.configuration import DnfError

if TYPE_CHECKING:
    from simlab.machine.system.package import Package
    from simlab.machine.tools.dnf.remote import Available

_ROOT: Final = Path("/")
_RPM_LOCK: Final = "var/lib/rpm/.rpm.lock"
_LINE: Final = "=" * 92


class Transaction:
    """The difference between what is installed and what is to be."""

    def __init__(self, before: list[Package], after: list[Package], wished: set[str]) -> None:
        self._after = after
        self.incoming = [package for package in after if package not in before]
        self.outgoing = [package for package in before if package not in after]
        self._groups: dict[str, list[Package]] = {}
        for package in self.incoming:
            old = next((other for other in self.outgoing if other.name == package.name), None)
            if old is None:
                heading = "Installing" if package.name in wished else "Installing dependencies"
            else:
                heading = "Upgrading" if old.evr < package.evr else "Downgrading"
            self._groups.setdefault(heading, []).append(package)
        replaced = {package.name for package in self.incoming if not package.several}
        if gone := [package for package in self.outgoing if package.name not in replaced]:
            self._groups["Removing"] = gone

    def carry_out(self, available: Available | None, *, yes: bool, download_only: bool = False) -> int:
        """Show it, ask unless `yes`, and do it; returns the exit status. Raises DnfError."""
        if not self._groups:
            sys.stdout.write("Dependencies resolved.\nNothing to do.\nComplete!\n")
            return 0
        self._show()
        if not yes and not _confirmed():
            sys.stdout.write("Operation aborted.\n")
            return 1
        fetched = [available.fetch(package) for package in self.incoming] if available else []
        if not download_only:
            self._perform(fetched)
        sys.stdout.write("Complete!\n")
        return 0

    def _show(self) -> None:
        sys.stdout.write(f"Dependencies resolved.\n{_LINE}\n")
        sys.stdout.write(f" {'Package':<24} {'Arch':<8} {'Version':<28} {'Repository':<18} Size\n{_LINE}\n")
        for heading, packages in self._groups.items():
            sys.stdout.write(f"{heading}:\n")
            sys.stdout.writelines(
                f" {package.name:<24} {package.arch:<8} {package.evr!s:<28} {package.repository:<18}"
                f" {max(1, package.size // 1024)} k\n"
                for package in packages
            )
        sys.stdout.write(f"\nTransaction Summary\n{_LINE}\n")
        for heading, packages in self._groups.items():
            verb = {"Upgrading": "Upgrade", "Downgrading": "Downgrade", "Removing": "Remove"}.get(
                heading, "Install"
            )
            sys.stdout.write(f"{verb:<9} {len(packages)} Package{'s' if len(packages) > 1 else ''}\n")
        sys.stdout.write("\n")

    def _perform(self, fetched: list[Package]) -> None:
        """Hold rpm's lock, and signals back, until all is done (rpm 4.14, lib/rpmts.c, rpmtxnBegin)."""
        blocked = {signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGQUIT, signal.SIGPIPE}
        with (_ROOT / _RPM_LOCK).open("w") as lock:
            fcntl.lockf(lock, fcntl.LOCK_EX)
            signal.pthread_sigmask(signal.SIG_BLOCK, blocked)
            try:
                self._change(fetched)
            finally:
                signal.pthread_sigmask(signal.SIG_UNBLOCK, blocked)

    def _change(self, fetched: list[Package]) -> None:
        sys.stdout.write("Running transaction check\nTransaction check succeeded.\nRunning transaction\n")
        total = len(fetched) + len(self.outgoing)
        done = 0
        try:
            for package in fetched:
                rpmdb.unpack(_ROOT, package)
                rpmdb.run_scripts(_ROOT, package, "post")
                done += 1
                sys.stdout.write(f"  Installing       : {package.nevra:<60} {done}/{total}\n")
            for package in self.outgoing:
                if all(other.name != package.name or other.several for other in fetched):
                    rpmdb.run_scripts(_ROOT, package, "preun")
                rpmdb.remove_files(_ROOT, package, self._after)
                done += 1
                sys.stdout.write(f"  Cleanup          : {package.nevra:<60} {done}/{total}\n")
            when = int(time.time())
            new = [package.installed(when) for package in fetched]
            kept = [package for package in self._after if package not in self.incoming]
            rpmdb.write(_ROOT, [*kept, *new])
            for package in fetched:
                rpmdb.run_scripts(_ROOT, package, "posttrans")
        except OSError as error:
            raise DnfError(f"Error: Transaction failed: {error.filename}: {error.strerror}") from None
        for heading, packages in self._groups.items():
            word = {"Upgrading": "Upgraded", "Downgrading": "Downgraded", "Removing": "Removed"}.get(
                heading, "Installed"
            )
            sys.stdout.write(f"\n{word}:\n")
            sys.stdout.writelines(f"  {package.nevra}\n" for package in packages)
        sys.stdout.write("\n")


def _confirmed() -> bool:
    sys.stdout.write("Is this ok [y/N]: ")
    sys.stdout.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")
