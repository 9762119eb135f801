"""`index.html`: the run as one page that needs nothing but itself."""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from lab.verdict import Verdict
from reports.evidence import BINARY
from reports.ledger import Effect, effect, grouped, told
from reports.terminal import all_findings, answer_sentence, duration, plural

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from reports.model import ClauseResult, Evidence, Results, ScenarioResult

TEMPLATES: Final = Path(__file__).with_name("templates")
# A page of 200 scenarios must open at once: its evidence shares so many characters. A piece shows at most the
# one and at least the other; its file has it whole.
PAGE_BUDGET: Final = 3_000_000
LONGEST_EXCERPT: Final = 12_000
SHORTEST_EXCERPT: Final = 1_000
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
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "duration": duration,
        "size": _size,
        "css": _css_class,
        "findings": all_findings,
        "pretty": _pretty,
        "effect": effect,
        "told": told,
    }
    environment.globals |= {"plural": plural, "inline": _inline}
    pieces = len(results.session.evidence) + sum(len(scenario.evidence) for scenario in results.scenarios)
    page = environment.get_template("index.html").render(
        results=results,
        sentence=answer_sentence(results),
        verdicts=list(Verdict),
        features=_features(results.scenarios),
        chapters=_chapters(results.clauses),
        by_id={scenario.id: scenario for scenario in results.scenarios},
        excerpt=Excerpts(folder, pieces),
        ledger_groups=grouped(results),
        ledger_titles=_LEDGER,
    )
    (folder / name).write_text(page, encoding="utf-8")


@dataclass(frozen=True)
class Excerpt:
    """What the page shows of a piece of evidence; `cut` says in words what it leaves out."""

    text: str
    cut: str = ""


class Excerpts:
    """Reads the evidence below `folder` for the page, of which there are `pieces`."""

    def __init__(self, folder: Path, pieces: int) -> None:
        self._folder = folder
        share = PAGE_BUDGET // max(1, pieces)
        self._limit = max(SHORTEST_EXCERPT, min(LONGEST_EXCERPT, share))

    def __call__(self, evidence: Evidence) -> Excerpt:
        """The beginning and the end of `evidence`."""
        data = (self._folder / evidence.file).read_bytes()
        if evidence.media_type != BINARY:
            return self._shorten(data.decode("utf-8", "replace"))
        first = data[:BINARY_EXCERPT]
        text = "\n".join(first[at : at + 16].hex(" ") for at in range(0, len(first), 16))
        return Excerpt(text, f"the first {len(first)} bytes" if len(data) > len(first) else "")

    def _shorten(self, text: str) -> Excerpt:
        """The beginning and the end of a long text: causes tend to stand last."""
        if len(text) <= self._limit:
            return Excerpt(text)
        head, tail = text[: self._limit // 2], text[-self._limit // 2 :]
        left_out = len(text) - len(head) - len(tail)
        return Excerpt(
            f"{head}\n\n  … {left_out} characters left out …\n\n{tail}", "the beginning and the end"
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


def _inline(name: str) -> Markup:
    """A file of the templates as it is, for the style and the script that the page carries with it."""
    return Markup((TEMPLATES / name).read_text(encoding="utf-8"))  # noqa: S704 - our own file


def _pretty(settings: Mapping[str, Any]) -> str:
    """Settings as JSON, in their own order."""
    return json.dumps(settings, indent=2, ensure_ascii=False, default=str)


def _css_class(word: Verdict | Effect | None) -> str:
    """A verdict, or what came of an operation, as a class in the style sheet."""
    return str(word or "none").replace(" ", "-")


def _size(number: int) -> str:
    """A number of bytes as a person reads it."""
    for unit, size in (("MB", 1_000_000), ("kB", 1_000)):
        if number >= size:
            return f"{number / size:.1f} {unit}"
    return f"{number} B"
