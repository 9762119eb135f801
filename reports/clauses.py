"""The guide's clauses and known errata, as docs/clauses.toml lists them."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Final

from reports.model import ClauseResult, Erratum
from reports.verdicts import together

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from reports.model import ScenarioResult

CLAUSES: Final = Path(__file__).parents[1] / "docs" / "clauses.toml"


class Catalogue:
    """All clauses in the guide's order, and the guide's errata."""

    def __init__(self, path: Path = CLAUSES) -> None:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
        self._clauses: list[Mapping[str, str]] = document["clause"]
        self.errata = [Erratum(**entry) for entry in document["erratum"]]

    def ids(self) -> list[str]:
        """The clauses' ids, in the guide's order."""
        return [clause["id"] for clause in self._clauses]

    def sort(self, clauses: Iterable[str]) -> list[str]:
        """`clauses` in the guide's order; unknown ones last."""
        order = {clause: place for place, clause in enumerate(self.ids())}
        return sorted(clauses, key=lambda clause: (order.get(clause, len(order)), clause))

    def judge(self, scenarios: Iterable[ScenarioResult]) -> list[ClauseResult]:
        """Every clause with the scenarios that name it, and the verdict that they give it together."""
        naming: dict[str, list[ScenarioResult]] = {}
        for scenario in scenarios:
            for clause in scenario.clauses:
                naming.setdefault(clause, []).append(scenario)
        return [
            ClauseResult(
                id=clause["id"],
                outcome=clause["outcome"],
                section=clause["section"],
                kind=clause["kind"],
                advisory=clause["kind"] == "advisory",
                verdict=together(scenario.verdict for scenario in naming.get(clause["id"], ())),
                scenarios=[scenario.id for scenario in naming.get(clause["id"], ())],
            )
            for clause in self._clauses
        ]
