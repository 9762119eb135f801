"""Which faults have proved of each scenario that it can fail (docs/sensitivity)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

ROWS: Final = Path(__file__).parents[1] / "docs" / "sensitivity"
# The row of a run without a fault: what is red there is red by itself.
_CONTROL: Final = "no fault"
_RED: Final = ("failed", "broken")


class Sensitivity:
    """What runs on a lab that was broken on purpose said, a row for each fault."""

    def __init__(self, rows: Path = ROWS) -> None:
        """`rows` is a folder of one JSON document for each fault; without any, nothing is known."""
        documents = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(rows.glob("*.json"))]
        control: dict[str, str] = next(
            (each["verdicts"] for each in documents if each["fault"] == _CONTROL), {}
        )
        self._faults: dict[str, dict[str, str]] = {}
        self._known = bool(documents)
        for document in documents:
            for scenario in self._red(document, control):
                faults = self._faults.setdefault(scenario, {})
                faults[document["fault"]] = document["expected"].get("breaks", "")

    @staticmethod
    def _red(document: dict[str, Any], control: dict[str, str]) -> list[str]:
        return [
            scenario
            for scenario, verdict in document["verdicts"].items()
            if verdict in _RED and control.get(scenario) not in _RED
        ]

    def __call__(self, scenario: str) -> dict[str, str] | None:
        """The faults that turned a scenario red, with what they break; None where nothing is known of any."""
        return self._faults.get(scenario, {}) if self._known else None
