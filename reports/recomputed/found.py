"""The versions that a run tells, held to what the host printed of them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from lab.fact import Fact
from reports.recomputed.moment import Contradiction, Facts
from reports.recomputed.printed import said_by

if TYPE_CHECKING:
    from collections.abc import Iterator

# By component: how the command begins that tells it, and where in its words the version stands.
_TOLD: Final = {
    "operating system": ("cat /etc/os-release", r'^PRETTY_NAME="?([^"\n]*)'),
    "kernel": ("uname -r", r"^(\S+)"),
    "kata": ("/usr/local/bin/containerd-shim-", r"version: (\S+), commit:"),
}


def other_versions(facts: Facts) -> Iterator[str]:
    """Versions that the newest words of the host contradict; what it printed none of is left."""
    kept = [each for each in facts.results.session.evidence if each.fact == Fact.COMMAND]
    for component, (beginning, pattern) in _TOLD.items():
        try:
            said = said_by((facts.of(each) for each in kept), beginning, succeeded=False)
        except Contradiction as contradiction:
            yield str(contradiction)
            return
        found = re.search(pattern, said, re.MULTILINE) if said is not None else None
        told = facts.results.versions.get(component, "nothing")
        if found and told != found[1] and not told.startswith(f"{found[1]},"):
            yield f"the version of {component} is told as {told}, and the host printed {found[1]}"
