"""The matrix on disk: docs/sensitivity.json, and the page that is written from it, docs/sensitivity.md."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from simlab.faults.catalogue import faults
from tools.sensitivity.judging import CONTROL, Row

if TYPE_CHECKING:
    from collections.abc import Iterable

ROOT: Final = Path(__file__).parents[2]
_COLUMNS: Final = (
    *("fault", "kind", "what is broken", "clauses"),
    *("caught", "clauses", "cause", "alarms", "stopped", "seconds"),
)
JSON: Final = ROOT / "docs" / "sensitivity.json"
PAGE: Final = ROOT / "docs" / "sensitivity.md"


def read() -> dict[str, Row]:
    """The rows as they were written last, by the fault's name."""
    if not JSON.exists():
        return {}
    document = json.loads(JSON.read_text(encoding="utf-8"))
    return {row["fault"]: Row(**row) for row in document["rows"]}


def write(rows: Iterable[Row]) -> None:
    """Write rows of faults that there are, and the page."""
    known = {row.fault: row for row in rows}
    kept = [known[name] for name in (CONTROL, *faults()) if name in known]
    document = {
        "written": datetime.now(UTC).isoformat(timespec="seconds"),
        "catalogue": fingerprint("simlab/faults"),
        "suite": fingerprint("features", "steps", "fixtures", "lab"),
        "figures": figures(kept),
        "rows": [row.document() for row in kept],
    }
    JSON.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    PAGE.write_text(page(document, kept), encoding="utf-8")


def fingerprint(*folders: str) -> str:
    """SHA-256 over the sources below some folders: what the rows were made with."""
    digest = hashlib.sha256()
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix in {".py", ".feature"}:
                digest.update(f"{path.relative_to(ROOT)}\0".encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def figures(rows: Iterable[Row]) -> dict[str, int]:
    """How many faults there are, and how many of them the suite met in each way."""
    judged = [row for row in rows if row.fault != CONTROL]
    catchable = [row for row in judged if not row.expected["uncaught"]]
    return {
        "faults": len(judged),
        "nobody could catch": len(judged) - len(catchable),
        "caught": sum(row.caught for row in catchable),
        "by the right clauses": sum(row.clause for row in catchable),
        "with the right cause": sum(row.cause for row in catchable),
        "false alarms": sum(len(row.alarms) for row in judged),
    }


def page(document: dict[str, Any], rows: Iterable[Row]) -> str:
    """The page, in words and one table."""
    rows = list(rows)
    lines = [
        "# Would the suite notice?",
        "",
        "<!-- written by tools/sensitivity: python -m tools.sensitivity -->",
        "",
        "The simulated lab can be broken on purpose ([faults.md](faults.md)). This is what the suite said",
        "where it was.",
        "`docs/sensitivity.json` has it scenario by scenario, with the words of every red one.",
        "",
        "| | |",
        "|---|---|",
        *(f"| {name} | {number} |" for name, number in document["figures"].items()),
        "",
        f"Written {document['written']}, catalogue `{document['catalogue']}`, suite `{document['suite']}`.",
        "",
        "*Caught*: a scenario is red. *Clauses*: all that must be are. *Cause*: as the fault names it.",
        "*Alarms*: other scenarios that are red. *Stopped*: not proven, for want of what is gone.",
        "",
        f"| {' | '.join(_COLUMNS)} |",
        f"|{'---|' * len(_COLUMNS)}",
        *(_line(row) for row in rows),
        "",
    ]
    if wrong := [row for row in rows if not row.good and not row.expected.get("uncaught")]:
        lines += ["## Where it does not", ""]
        lines += [f"- `{row.fault}`: {'; '.join([*row.missing, *_alarms(row)])}" for row in wrong]
        lines.append("")
    if hidden := [row for row in rows if row.expected.get("uncaught")]:
        lines += ["## What nobody could notice", ""]
        lines += [f"- `{row.fault}`: {row.expected['uncaught']}" for row in hidden]
        lines.append("")
    return "\n".join(lines)


def _line(row: Row) -> str:
    if row.fault == CONTROL:
        told = "yes" if row.good else "no"
        return f"| *no fault* | | nothing | all passed: {told} | | | | {len(row.alarms)} | | {row.seconds} |"
    expected = row.expected
    stopped = sum(verdict == "not proven" for verdict in row.verdicts.values())
    marks = " | ".join("yes" if mark else "**no**" for mark in (row.caught, row.clause, row.cause))
    return (
        f"| `{row.fault}` | {expected['kind']} | {expected['breaks']} | {' '.join(expected['clauses'])}"
        f" | {marks} | {len(row.alarms)} | {stopped} | {row.seconds} |"
    )


def _alarms(row: Row) -> list[str]:
    return [f"`{each}` is {row.verdicts[each]} as well: {row.said.get(each, '')}" for each in row.alarms]
