"""A comparison as one page that needs nothing but itself."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from markupsafe import Markup

from reports.comparison.model import Turn
from reports.comparison.words import TITLES, TOLD, UNCHANGED, by_cause, headline, noise_sentence, turns
from reports.languages import both
from reports.pages import render

if TYPE_CHECKING:
    from pathlib import Path

    from reports.comparison.model import Comparison


def write(comparison: Comparison, path: Path) -> None:
    """Write the page. Raises OSError where that is not possible."""
    counts = turns(comparison)
    sentence, values = noise_sentence(comparison.durations)
    told = [both(TOLD[turn], number=number) for turn, number in counts.items()]
    page = render(
        "comparison.html",
        comparison=comparison,
        sentence=headline(comparison),
        headline=Markup(", ").join(told) if told else both(UNCHANGED),
        turns=[
            (TITLES[turn], by_cause(members))
            for turn in Turn
            if (members := [each for each in comparison.scenarios if each.turn is turn])
        ],
        lab=[(kind, list(members)) for kind, members in groupby(comparison.lab, key=lambda each: each.kind)],
        noise=both(sentence, **values),
    )
    path.write_text(page, encoding="utf-8", errors="replace")
