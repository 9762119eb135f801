"""`python -m simlab compare`: prints where two labs differ."""

# ruff: noqa: T201 -- a command's output

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

from simlab.compare import differences, transcript

if TYPE_CHECKING:
    from pathlib import Path

_SHOWN_QUESTIONS: Final = 10


def run(first: Path, second: Path) -> int:
    """Compare two transcripts; returns 0 where they do not differ, 1 where they do, 2 for a mistake."""
    try:
        one, other = transcript.read(first), transcript.read(second)
    except transcript.TranscriptError as error:
        print(f"simlab: {error}", file=sys.stderr)
        return 2
    found = differences.compare(one, other)
    print(f"- {one.name}\n+ {other.name}")
    for difference in found.differences:
        clauses = f" ({' '.join(difference.clauses)})" if difference.clauses else ""
        print(f"\n{difference.scenario or 'for many scenarios'}{clauses}\n  {difference.question}")
        for line in difference.lines:
            print(f"    {line}")
    for sign, questions in (("-", found.only_first), ("+", found.only_second)):
        if questions:
            print(f"\n{len(questions)} questions were asked only of {sign}:")
            for question in questions[:_SHOWN_QUESTIONS]:
                print(f"    {question}")
            if len(questions) > _SHOWN_QUESTIONS:
                print(f"    … {len(questions) - _SHOWN_QUESTIONS} more")
    print(
        f"\n{len(found.differences)} of {found.compared} questions, in {found.scenarios} scenarios that both "
        "ran, are answered differently."
    )
    return 1 if found.differences else 0
