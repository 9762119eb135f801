"""When each scenario ran: a lane for each host and worker."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from lab.verdict import Verdict
    from reports.model import Results, ScenarioResult

WIDTH: Final = 10_000  # of a lane, in its own units
# A bar that nobody could hit with a finger is drawn wider.
_NARROWEST: Final = 12
_TICKS: Final = 4


@dataclass(frozen=True)
class Bar:
    """A scenario on its lane: where it begins and how wide it is, in parts of WIDTH."""

    id: str
    name: str
    verdict: Verdict
    seconds: float
    x: int
    width: int


@dataclass
class Lane:
    """What ran at one `place`, one after the other."""

    name: str
    place: tuple[str, str]
    until: datetime
    bars: list[Bar] = field(default_factory=list)


@dataclass(frozen=True)
class Timeline:
    """The lanes, and the times of day (UTC) from their left end to their right end."""

    lanes: list[Lane]
    ticks: list[str]
    width: int = WIDTH


def timeline(results: Results) -> Timeline:
    """Lay out the scenarios that ran: by their host and worker, and what overlaps there in lanes of its own.

    What tells no host, such as a scenario that did not reach it or a run of an older suite, is the lab's.
    """
    ran = [(scenario.started, scenario) for scenario in results.scenarios if scenario.started]
    start = results.run.started
    span = max((results.run.finished - start).total_seconds(), 1.0)
    lanes: list[Lane] = []
    for began, scenario in sorted(ran, key=lambda pair: pair[0]):
        place = (scenario.host or str(results.lab.get("name", "")), scenario.worker or "")
        there = [lane for lane in lanes if lane.place == place]
        lane = next((lane for lane in there if lane.until <= began), None)
        if lane is None:
            name = " · ".join(filter(None, place)) + (f" ({len(there) + 1})" if there else "")
            lane = Lane(name, place, began)
            lanes.append(lane)
        lane.bars.append(_bar(scenario, (began - start).total_seconds(), span))
        lane.until = began + timedelta(seconds=scenario.seconds)
    ticks = [start + timedelta(seconds=span * place / _TICKS) for place in range(_TICKS + 1)]
    return Timeline(lanes, [f"{tick:%H:%M:%S}" for tick in ticks])


def _bar(scenario: ScenarioResult, offset: float, span: float) -> Bar:
    return Bar(
        id=scenario.id,
        name=scenario.name,
        verdict=scenario.verdict,
        seconds=round(scenario.seconds, 1),
        x=round(WIDTH * offset / span),
        width=max(_NARROWEST, round(WIDTH * scenario.seconds / span)),
    )
