"""rpm: asking what is installed (rpm 4.14). Installing is dnf's business."""

from __future__ import annotations

import argparse
import fnmatch
import re
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from simlab.machine.system import rpmdb
from simlab.machine.system.evr import compare

if TYPE_CHECKING:
    from simlab.machine.system.package import Package

_ROOT: Final = Path("/")
_TAG: Final = re.compile(r"%(-?\d*)\{([A-Za-z]+)(?::(\w+))?\}")
_ESCAPES: Final = {"\\n": "\n", "\\t": "\t", '\\"': '"', "\\\\": "\\"}


class RpmError(Exception):
    """What was asked cannot be answered; the message is rpm's."""


def main() -> int:
    """Carry out one command; returns the exit status."""
    options = _parse()
    try:
        if options.eval:
            return _evaluate(options)
        if not options.query:
            sys.stderr.write("rpm: the simulated rpm only queries; packages are installed with dnf\n")
            return 1
        return _query(options)
    except RpmError as error:
        sys.stderr.write(f"{error}\n")
        return 1


def _query(options: argparse.Namespace) -> int:
    installed = rpmdb.read(_ROOT)
    if options.all:
        patterns = options.names or ["*"]
        for package in installed:
            if any(
                fnmatch.fnmatch(package.name, pattern) or fnmatch.fnmatch(package.nvra, pattern)
                for pattern in patterns
            ):
                _print(package, options)
        return 0
    if not options.names:
        raise RpmError("rpm: no arguments given for query")
    missing = 0
    for name in options.names:
        found, complaint = _find(installed, name, options)
        for package in found:
            _print(package, options)
        if not found:
            sys.stdout.write(f"{complaint}\n")
            missing += 1
    return missing


def _find(installed: list[Package], name: str, options: argparse.Namespace) -> tuple[list[Package], str]:
    if options.whatprovides:
        found = [
            package for package in installed if any(name == offer for offer, _ in package.all_provides())
        ]
        return found, f"no package provides {name}"
    if options.file:
        if not Path(name).exists():
            return [], f"error: file {name}: No such file or directory"
        path = str(Path(name).resolve())
        found = [package for package in installed if path in package.files or name in package.files]
        return found, f"file {name} is not owned by any package"
    found = [package for package in installed if name in _names(package)]
    return found, f"package {name} is not installed"


def _names(package: Package) -> tuple[str, ...]:
    version = f"{package.name}-{package.version}"
    return (
        package.name,
        f"{package.name}.{package.arch}",
        version,
        f"{version}-{package.release}",
        package.nvra,
        package.nevra,
    )


def _print(package: Package, options: argparse.Namespace) -> None:
    if options.queryformat is not None:
        sys.stdout.write(_format(options.queryformat, package))
    elif options.info:
        sys.stdout.write(_information(package))
    elif options.list:
        sys.stdout.write("".join(f"{path}\n" for path in package.files) or "(contains no files)\n")
    elif options.requires:
        sys.stdout.writelines(f"{text}\n" for text in package.requires)
    elif options.provides:
        own = f"{package.name} = {package.evr}"
        sys.stdout.writelines(f"{text}\n" for text in (own, *package.provides))
    else:
        sys.stdout.write(f"{package.nvra}\n")


def _format(pattern: str, package: Package) -> str:
    text = re.sub(r'\\[nt"\\]', lambda escape: _ESCAPES[escape[0]], pattern)
    return _TAG.sub(lambda tag: _field(package, tag[2], tag[3] or "", tag[1]), text)


def _field(package: Package, tag: str, form: str, width: str) -> str:
    values = {
        "NAME": package.name,
        "VERSION": package.version,
        "RELEASE": package.release,
        "ARCH": package.arch,
        "EPOCH": str(package.epoch) if package.epoch else "(none)",
        "EPOCHNUM": str(package.epoch),
        "EVR": str(package.evr),
        "NVR": f"{package.name}-{package.version}-{package.release}",
        "NVRA": package.nvra,
        "NEVRA": package.nevra,
        "NEVR": f"{package.name}-{package.evr}",
        "SUMMARY": package.summary,
        "LICENSE": package.license,
        "VENDOR": package.vendor or "(none)",
        "SIZE": str(package.size),
        "INSTALLTIME": str(package.installed_at),
    }
    value = values.get(tag.upper())
    if value is None:
        raise RpmError(f'error: incorrect format: unknown tag: "{tag}"')
    if form in ("date", "day"):
        value = time.strftime("%a %d %b %Y %I:%M:%S %p UTC", time.gmtime(int(value)))
    return f"{value:<{width[1:]}}" if width.startswith("-") else f"{value:>{width or 0}}"


def _information(package: Package) -> str:
    rows = {
        "Name": package.name,
        **({"Epoch": str(package.epoch)} if package.epoch else {}),
        "Version": package.version,
        "Release": package.release,
        "Architecture": package.arch,
        "Install Date": time.strftime("%a %d %b %Y %I:%M:%S %p UTC", time.gmtime(package.installed_at)),
        "Size": str(package.size),
        "License": package.license,
        "Vendor": package.vendor or "(none)",
        "Summary": package.summary,
    }
    return "".join(f"{name:<12}: {value}\n" for name, value in rows.items())


def _evaluate(options: argparse.Namespace) -> int:
    """Answer the few macros that scripts ask for, and comparisons of versions."""
    macros = {"%{_arch}": "x86_64", "%{?dist}": ".an8", "%rhel": "8", "%{rhel}": "8"}
    found = re.fullmatch(
        r"%\{lua:\s*print\(rpm\.vercmp\([\"']([^\"']*)[\"'],\s*[\"']([^\"']*)[\"']\)\)\}", options.eval
    )
    if found:
        order = compare(found[1], found[2])
        sys.stdout.write(f"{(order > 0) - (order < 0)}\n")
        return 0
    sys.stdout.write(f"{macros.get(options.eval, options.eval)}\n")
    return 0


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="rpm", allow_abbrev=False)
    parser.add_argument("-q", "--query", action="store_true")
    parser.add_argument("-a", "--all", action="store_true")
    parser.add_argument("-i", "--info", action="store_true")
    parser.add_argument("-l", "--list", action="store_true")
    parser.add_argument("-f", "--file", action="store_true")
    parser.add_argument("-R", "--requires", action="store_true")
    parser.add_argument("--provides", action="store_true")
    parser.add_argument("--whatprovides", action="store_true")
    parser.add_argument("--qf", "--queryformat", dest="queryformat")
    parser.add_argument("-E", "--eval")
    parser.add_argument("--quiet", action="store_true")
    parser.add_argument("names", nargs="*")
    return parser.parse_intermixed_args()


if __name__ == "__main__":
    sys.exit(main())
