"""`index.html`: the run as one page that needs nothing but itself."""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import groupby
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, Final

from markupsafe import Markup

from lab.verdict import Verdict
from reports.evidence import BINARY
from reports.languages import both, translated
from reports.ledger import Effect, effect, grouped, told
from reports.pages import render
from reports.pedigree import unseen_on_hardware
from reports.sensitivity import Sensitivity
from reports.timeline import timeline
from reports.words import all_findings, answer_sentence, answer_words

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from reports.model import ClauseResult, Evidence, Results, ScenarioResult

PAGE: Final = "index.html"
# A page of 2,000 scenarios must open at once: its evidence shares so many characters. A piece shows at most
# the one. Where all would have to do with less than the other the page is brief: it shows no evidence, names
# only that of scenarios that did not pass, and tells of an operation no more than its name.
PAGE_BUDGET: Final = 3_000_000
LONGEST_EXCERPT: Final = 12_000
SHORTEST_EXCERPT: Final = 400
BINARY_EXCERPT: Final = 256  # bytes, as hexadecimal
_CHAPTERS: Final = {
    "P": "Prerequisites: operating system, kernel, SEV",
    "C": "Step one: the cluster",
    "O": "Step two: the operator",
    "K": "Step three: the KBS",
    "W": "Step four: workloads",
    "A": "Appendix: encrypted images and policies",
    "X": "Beyond the guide (advisory)",
}
_LEDGER: Final = {
    Effect.FAILED: "Failed",
    Effect.CHANGED: "Changed, to last",
    Effect.WOULD_CHANGE: "Would change, in this order",
    Effect.BORROWED: "Borrowed, and given back",
    Effect.UNCHANGED: "Looked at, and left as it was",
}


def write(results: Results, folder: Path, name: str) -> None:
    """Write the page of a run whose evidence lies below `folder`."""
    (folder / name).write_bytes(made(results, folder))


def made(results: Results, folder: Path) -> bytes:
    """The page of a run whose evidence lies below `folder`: the same bytes each time that it is made."""
    pieces = len(results.session.evidence) + sum(len(scenario.evidence) for scenario in results.scenarios)
    page = render(
        "index.html",
        filters={
            "size": _size,
            "folder": lambda file: f"{PurePosixPath(file).parent}/",
            "findings": all_findings,
            "pretty": _pretty,
            "effect": effect,
            "told": told,
        },
        results=results,
        answer=Answer.of(results),
        unseen=unseen_on_hardware(results),
        verdicts=list(Verdict),
        features=_features(results.scenarios),
        chapters=_chapters(results.clauses),
        by_id={scenario.id: scenario for scenario in results.scenarios},
        excerpt=Excerpts(folder, pieces),
        sensitivity=Sensitivity(),
        timeline=timeline(results),
        translated=translated,
        ledger_groups=grouped(results),
        ledger_titles=_LEDGER,
    )
    return page.encode("utf-8", "replace")


@dataclass(frozen=True)
class Answer:
    """What the page says first. `certified` is None where nobody held the run to the rules."""

    sentence: Markup
    title: str
    certified: bool | None

    @classmethod
    def of(cls, results: Results) -> Answer:
        """The answer of a run."""
        told = answer_words(results)
        judged = results.certification
        certified = judged.certifiable if judged.certifiable or judged.broken else None
        word = {None: "", True: "May be certified. ", False: "Not certified. "}[certified]
        sentence = Markup(" ").join(both(english, **values) for english, values in told)
        return cls(sentence, word + answer_sentence(results), certified)


@dataclass(frozen=True)
class Excerpt:
    """What the page shows of a piece of evidence; `cut` says in words what it leaves out."""

    text: str
    cut: Markup | str = ""


class Excerpts:
    """Reads the evidence below `folder` for the page, of which there are `pieces`."""

    def __init__(self, folder: Path, pieces: int) -> None:
        self._folder = folder
        share = PAGE_BUDGET // max(1, pieces)
        self.brief = share < SHORTEST_EXCERPT
        self._limit = min(LONGEST_EXCERPT, share)

    def __call__(self, evidence: Evidence) -> Excerpt:
        """The beginning and the end of `evidence`."""
        data = (self._folder / evidence.file).read_bytes()
        if evidence.media_type != BINARY:
            return self._shorten(data.decode("utf-8", "replace"))
        first = data[:BINARY_EXCERPT]
        text = "\n".join(first[at : at + 16].hex(" ") for at in range(0, len(first), 16))
        cut = both("Shown: the first {number} bytes. Whole:", number=len(first))
        return Excerpt(text, cut if len(data) > len(first) else "")

    def _shorten(self, text: str) -> Excerpt:
        """The beginning and the end of a long text: causes tend to stand last."""
        if len(text) <= self._limit:
            return Excerpt(text)
        head, tail = text[: self._limit // 2], text[-self._limit // 2 :]
        left_out = len(text) - len(head) - len(tail)
        return Excerpt(
            f"{head}\n\n  … {left_out} characters left out …\n\n{tail}",
            both("Shown: the beginning and the end. Whole:"),
        )


def _features(scenarios: Iterable[ScenarioResult]) -> dict[str, list[ScenarioResult]]:
    """The scenarios by feature, in the order of the run's plan."""
    features: dict[str, list[ScenarioResult]] = {}
    for scenario in scenarios:
        features.setdefault(scenario.feature, []).append(scenario)
    return features


def _chapters(clauses: Iterable[ClauseResult]) -> list[tuple[str, list[ClauseResult]]]:
    """The clauses by the guide's chapters, in its order."""
    return [
        (_CHAPTERS[letter], list(members))
        for letter, members in groupby(clauses, key=lambda clause: clause.id[0])
    ]


def _pretty(settings: Mapping[str, Any]) -> str:
    """Settings as JSON, in their own order."""
    return json.dumps(settings, indent=2, ensure_ascii=False, default=str)


def _size(number: int) -> str:
    """A number of bytes as a person reads it."""
    for unit, size in (("MB", 1_000_000), ("kB", 1_000)):
        if number >= size:
            return f"{number / size:.1f} {unit}"
    return f"{number} B"
