"""What kata leaves on a host of launches that failed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.findings import finding

if TYPE_CHECKING:
    from lab.host import Host
    from lab.record import Record

# kata-containers CC-0.3.0, src/runtime/virtcontainers/qemu_amd64.go: removed only when the launch succeeds.
FOLDER = "/tmp/sev"  # noqa: S108 - kata's own


def failed_launches(host: Host) -> set[str]:
    """Launch ids whose session files kata left behind; they name no pod, so whose they are is unknown."""
    listing = host.run(
        "find %s -mindepth 1 -maxdepth 1 -printf '%%f\\n' 2>/dev/null",
        FOLDER,
        check=False,
        reads=True,
        quiet=True,
    )
    return set(listing.lines)


def tell_new(host: Host, before: set[str], record: Record) -> None:
    """Tell the reader how many were left since `before`; the suite removes nothing that it did not make."""
    left = sorted(failed_launches(host) - before)
    if left:
        detail = f"{len(left)} new in {FOLDER} since the run began: {', '.join(left)}"
        record.finding(finding("sev-debris", detail))
