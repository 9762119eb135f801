"""The matrix on disk: a row a file in docs/sensitivity, and the page of them all, docs/sensitivity.md."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from simlab.faults.catalogue import faults
from tools.sensitivity.judging import CONTROL, Row

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

ROOT: Final = Path(__file__).parents[2]
_SUITE: Final = ("features", "steps", "fixtures", "lab")
_COLUMNS: Final = (
    *("fault", "kind", "what is broken", "clauses"),
    *("caught", "clauses", "cause", "alarms", "stopped", "seconds"),
)
ROWS: Final = ROOT / "docs" / "sensitivity"
PAGE: Final = ROOT / "docs" / "sensitivity.md"


def read() -> dict[str, Row]:
    """The rows as they were written last, by the fault's name; the control's first."""
    found = [Row(**json.loads(path.read_text(encoding="utf-8"))) for path in ROWS.glob("*.json")]
    return {row.fault: row for row in sorted(found, key=lambda row: (row.fault != CONTROL, row.fault))}


def write(rows: Iterable[Row]) -> None:
    """Write rows, each to a file of its own, and the page of all; drop rows of faults that are no more."""
    ROWS.mkdir(exist_ok=True)
    now, suite = datetime.now(UTC).isoformat(timespec="seconds"), fingerprint(*_SUITE)
    for row in rows:
        document = replace(row, written=now, suite=suite).document()
        text = json.dumps(document, indent=1, ensure_ascii=False)
        _file(row.fault).write_text(f"{text}\n", encoding="utf-8")
    for name in read():
        if name != CONTROL and name not in faults():
            _file(name).unlink()
    write_page()


def write_page() -> None:
    """Write the page of the rows that there are."""
    PAGE.write_text(page(list(read().values())), encoding="utf-8")


def _file(name: str) -> Path:
    return ROWS / f"{name.replace(' ', '-')}.json"


def fingerprint(*folders: str) -> str:
    """SHA-256 over the sources below some folders: which suite a row was made with."""
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


def page(rows: Sequence[Row]) -> str:
    """The page, in words and one table."""
    lines = [
        "# Would the suite notice?",
        "",
        "<!-- written by tools/sensitivity: python -m tools.sensitivity -->",
        "",
        "The simulated lab can be broken on purpose ([faults.md](faults.md)). This is what the suite said",
        "where it was.",
        "A file in `docs/sensitivity/` has each row scenario by scenario, with the words of every red one.",
        "",
        "| | |",
        "|---|---|",
        *(f"| {name} | {number} |" for name, number in figures(rows).items()),
        "",
        f"Written {_span(rows)}, with the suite {_suites(rows)} (SHA-256 over its sources).",
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
    ran = {row.fault for row in rows}
    if waiting := [name for name in faults() if name not in ran]:
        lines += ["## Not tried yet", "", ", ".join(f"`{name}`" for name in waiting), ""]
    return "\n".join(lines)


def _span(rows: Sequence[Row]) -> str:
    days = sorted({row.written[:10] for row in rows})
    return " to ".join(dict.fromkeys([days[0], days[-1]])) if days else "never"


def _suites(rows: Sequence[Row]) -> str:
    by_suite = Counter(row.suite for row in rows)
    return ", ".join(f"`{suite}` ({count} rows)" for suite, count in by_suite.most_common())


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
