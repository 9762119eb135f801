"""The command line of dnf and yum."""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import fnmatch
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from simlab.machine.system import rpmdb
from simlab.machine.tools.dnf import config_manager, configuration
from simlab.machine.tools.dnf.configuration import DnfError
from simlab.machine.tools.dnf.remote import Available
from simlab.machine.tools.dnf.solver import Goal
from simlab.machine.tools.dnf.transaction import Transaction

if TYPE_CHECKING:
    from collections.abc import Iterator

    from simlab.machine.system.package import Package

_ROOT: Final = Path("/")
_LOCK: Final = Path("/var/lib/rpm/.dnf.lock")


def main() -> int:
    """Carry out one command; returns the exit status."""
    options = _parse()
    try:
        return int(options.run(options))
    except DnfError as error:
        sys.stdout.flush()
        sys.stderr.write(f"{error}\n")
    except BrokenPipeError:
        sys.stderr.close()
    return 1


def install(options: argparse.Namespace) -> int:
    """Install packages, or newer versions of those that are there."""
    with _locked():
        installed, available = rpmdb.read(_ROOT), _available(options)
        goal = Goal(installed, available.packages)
        wished = set()
        for name in options.names:
            found = goal.find(name)
            if not found:
                raise DnfError(f"No match for argument: {name}\nError: Unable to find a match: {name}")
            present = [package for package in installed if package.name == found[0].name]
            if any(package.evr >= found[0].evr for package in present):
                sys.stdout.write(f"Package {present[-1].nevra} is already installed.\n")
                continue
            goal.add(found[0])
            wished.add(found[0].name)
        return _finish(goal, installed, available, wished, options)


def update(options: argparse.Namespace) -> int:
    """Bring installed packages, or all of them, to their newest versions."""
    with _locked():
        installed, available = rpmdb.read(_ROOT), _available(options)
        goal = Goal(installed, available.packages)
        names = {package.name for package in installed}
        for name in options.names:
            if not any(fnmatch.fnmatch(other, name) for other in names):
                raise DnfError(
                    f"No match for argument: {name}\nPackage {name} available, but not installed."
                    if goal.find(name)
                    else f"No match for argument: {name}"
                )
        wished = {name for name in names if not options.names or _matches(name, options.names)}
        for name in sorted(wished):
            newest = max(package.evr for package in installed if package.name == name)
            better = [package for package in goal.find(name) if package.name == name and newest < package.evr]
            if better:
                goal.add(better[0])
        return _finish(goal, installed, available, wished, options)


def downgrade(options: argparse.Namespace) -> int:
    """Take packages to the next older version that a repository has."""
    with _locked():
        installed, available = rpmdb.read(_ROOT), _available(options)
        goal = Goal(installed, available.packages)
        wished = set()
        for wanted in options.names:
            present = [
                package for package in installed if any(wanted == name for name, _ in package.all_provides())
            ]
            found = goal.find(wanted)
            present = present or [package for package in installed if found and package.name == found[0].name]
            if not present:
                raise DnfError(f"No match for argument: {wanted}\nError: No packages marked for downgrade.")
            old = present[0]
            older = [package for package in found if package.name == old.name and package.evr < old.evr]
            if not older:
                sys.stdout.write(
                    f"Package {old.name} of lowest version already installed, cannot downgrade it.\n"
                )
                continue
            goal.add(older[0])
            wished.add(old.name)
        return _finish(goal, installed, available, wished, options)


def remove(options: argparse.Namespace) -> int:
    """Remove packages and what needs them."""
    with _locked():
        installed = rpmdb.read(_ROOT)
        goal = Goal(installed, [])
        for name in options.names:
            found = [package for package in installed if name in (package.name, package.nvra, package.nevra)]
            if not found:
                sys.stdout.write(f"No match for argument: {name}\n")
            for package in found:
                if package in goal.result:
                    goal.remove(package)
        return Transaction(installed, goal.result, set()).carry_out(None, yes=options.yes)


def show_list(options: argparse.Namespace) -> int:
    """List packages: installed, available, or both."""
    names = options.names
    kinds = {"installed", "available", "--installed", "--available"}
    kind = next((word for word in names if word in kinds), "").removeprefix("--")
    kind = kind or ("installed" if options.installed else "available" if options.available else "")
    patterns = [word for word in names if word not in kinds]
    found = 0
    installed = rpmdb.read(_ROOT)
    if kind in ("", "installed"):
        found += _table("Installed Packages", installed, patterns, "@")
    if kind in ("", "available"):
        present = {(package.name, package.evr) for package in installed}
        offered = [
            package for package in _available(options).packages if (package.name, package.evr) not in present
        ]
        if not options.showduplicates:
            offered = _newest(offered, installed)
        found += _table("Available Packages", offered, patterns, "")
    if not found and patterns:
        raise DnfError("Error: No matching Packages to list")
    return 0


def show_info(options: argparse.Namespace) -> int:
    """Tell about packages."""
    installed = rpmdb.read(_ROOT)
    present = {(package.name, package.evr) for package in installed}
    offered = [
        package for package in _available(options).packages if (package.name, package.evr) not in present
    ]
    found = False
    for heading, packages in (("Installed Packages", installed), ("Available Packages", offered)):
        chosen = [package for package in packages if _matches(package.name, options.names)]
        for package in chosen:
            epoch = f"Epoch        : {package.epoch}\n" if package.epoch else ""
            sys.stdout.write(
                f"{heading}\nName         : {package.name}\n{epoch}Version      : {package.version}\n"
                f"Release      : {package.release}\nArchitecture : {package.arch}\n"
                f"Repository   : {package.repository}\nSummary      : {package.summary}\n"
                f"License      : {package.license}\n\n"
            )
        found = found or bool(chosen)
    if not found:
        raise DnfError("Error: No matching Packages to list")
    return 0


def show_repositories(options: argparse.Namespace) -> int:
    """List the repositories."""
    names = options.names
    everything, disabled = options.all or "all" in names, "disabled" in names
    heading = f"{'repo id':<58} {'repo name':<44}{' status' if everything else ''}"
    sys.stdout.write(heading.rstrip() + "\n")
    for repository in configuration.repositories(options.releasever):
        if everything or repository.enabled is not disabled:
            status = (" enabled" if repository.enabled else " disabled") if everything else ""
            sys.stdout.write(f"{repository.identity:<58} {repository.name:<44}{status}".rstrip() + "\n")
    return 0


def check_update(options: argparse.Namespace) -> int:
    """List what could be updated; the exit status is 100 when there is something (dnf(8))."""
    installed = rpmdb.read(_ROOT)
    newest = {package.name: package.evr for package in installed}
    better = [
        package
        for package in _available(options).packages
        if package.name in newest
        and newest[package.name] < package.evr
        and _matches(package.name, options.names)
    ]
    return 100 if _table("", better, [], "") else 0


def make_cache(options: argparse.Namespace) -> int:
    """Fetch what the enabled repositories list."""
    _available(options)
    sys.stdout.write("Metadata cache created.\n")
    return 0


def succeed(_options: argparse.Namespace) -> int:
    """Do what leaves nothing behind here: there is no cache."""
    return 0


def _finish(
    goal: Goal, installed: list[Package], available: Available, wished: set[str], options: argparse.Namespace
) -> int:
    goal.resolve()
    transaction = Transaction(installed, goal.result, wished)
    return transaction.carry_out(available, yes=options.yes, download_only=options.downloadonly)


def _available(options: argparse.Namespace) -> Available:
    chosen = []
    for repository in configuration.repositories(options.releasever):
        enabled = repository.enabled
        for switch, pattern in options.switches or []:
            if any(fnmatch.fnmatch(repository.identity, part) for part in pattern.split(",")):
                enabled = switch == "enable"
        if enabled:
            chosen.append(repository if repository.enabled else _enabled(repository))
    available = Available(chosen)
    # What is installed is there all the same (dnf(8), --exclude).
    excluded = ",".join(options.excluded or []).split(",")
    available.packages = [each for each in available.packages if not _excluded(each, excluded)]
    return available


def _excluded(package: Package, patterns: list[str]) -> bool:
    return any(
        fnmatch.fnmatch(name, pattern) for name in (package.name, package.nevra) for pattern in patterns
    )


def _enabled(repository: configuration.Repository) -> configuration.Repository:
    return configuration.Repository(repository.identity, repository.name, repository.urls, enabled=True)


def _matches(name: str, patterns: list[str]) -> bool:
    return any(fnmatch.fnmatch(name, pattern) for pattern in patterns) if patterns else True


def _newest(packages: list[Package], installed: list[Package]) -> list[Package]:
    best: dict[str, Package] = {}
    floor = {package.name: package.evr for package in installed}
    for package in packages:
        known = best.get(package.name)
        if package.name in floor and package.evr < floor[package.name]:
            continue
        if known is None or known.evr < package.evr:
            best[package.name] = package
    return list(best.values())


def _table(heading: str, packages: list[Package], patterns: list[str], sign: str) -> int:
    chosen = [
        package
        for package in packages
        if not patterns
        or any(pattern in (package.nvra, f"{package.name}.{package.arch}") for pattern in patterns)
        or _matches(package.name, patterns or ["*"])
    ]
    if chosen and heading:
        sys.stdout.write(f"{heading}\n")
    for package in sorted(chosen, key=lambda package: (package.name, package.evr)):
        title = f"{package.name}.{package.arch}"
        sys.stdout.write(f"{title:<36} {package.evr!s:<31} {sign}{package.repository}\n")
    return len(chosen)


@contextlib.contextmanager
def _locked() -> Iterator[None]:
    """Wait for other package managers, as dnf does."""
    with _LOCK.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            sys.stderr.write("Waiting for process to finish.\n")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


class _Switch(argparse.Action):
    """--enablerepo and --disablerepo, in the order in which they are given."""

    def __call__(
        self, _parser: object, namespace: argparse.Namespace, values: object, option: str | None = None
    ) -> None:
        verb = "enable" if option == "--enablerepo" else "disable"
        namespace.switches = [*(getattr(namespace, "switches", None) or []), (verb, values)]


def _common() -> argparse.ArgumentParser:
    common = argparse.ArgumentParser(add_help=False, argument_default=argparse.SUPPRESS)
    common.add_argument("-y", "--assumeyes", dest="yes", action="store_true")
    common.add_argument("--releasever")
    common.add_argument("--enablerepo", "--disablerepo", dest="switches", action=_Switch)
    common.add_argument("--downloadonly", action="store_true")
    common.add_argument("-x", "--exclude", dest="excluded", action="append")
    for ignored in (
        "-q",
        "--quiet",
        "-v",
        "--nogpgcheck",
        "--allowerasing",
        "--nobest",
        "--best",
        "--refresh",
        "-C",
    ):
        common.add_argument(ignored, action="store_true")
    common.add_argument("--setopt", action="append")
    return common


def _parse() -> argparse.Namespace:
    common = _common()
    parser = argparse.ArgumentParser(prog="dnf", parents=[common], allow_abbrev=False)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(run: object, *names: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(names[0], aliases=names[1:], parents=[common], allow_abbrev=False)
        sub.set_defaults(run=run)
        sub.add_argument("names", nargs="*", metavar="PACKAGE")
        return sub

    command(install, "install")
    command(update, "update", "upgrade")
    command(downgrade, "downgrade")
    command(remove, "remove", "erase")
    listing = command(show_list, "list")
    for option in ("--installed", "--available", "--showduplicates", "--all"):
        listing.add_argument(option, action="store_true")
    command(show_info, "info")
    command(show_repositories, "repolist").add_argument("--all", action="store_true")
    command(check_update, "check-update")
    command(make_cache, "makecache")
    command(succeed, "clean")
    manager = command(config_manager.run, "config-manager")
    manager.add_argument("--add-repo", action="append", default=[], metavar="URL")
    for option in ("--enable", "--set-enabled", "--disable", "--set-disabled"):
        manager.add_argument(
            option, dest=f"{option.rpartition('-')[2].removesuffix('d')}", action="store_true"
        )
    options = parser.parse_args()
    defaults = {"yes": False, "releasever": "", "switches": [], "downloadonly": False, "excluded": []}
    for name, default in defaults.items():
        if not hasattr(options, name):
            setattr(options, name, default)
    return options


if __name__ == "__main__":
    sys.exit(main())
