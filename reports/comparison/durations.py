"""Durations beyond noise.

Two runs give two durations of each scenario, and no spread. But they give many pairs: that most scenarios
took 1.4 times as long says that the machine was busier, and how far the pairs scatter around that says what
noise is. So: the median of all ratios is the run's pace, and the median absolute deviation from it (of
logarithms, as twice and half are equally far) times 1.4826 estimates one standard deviation. Beyond noise is
what lies further than three of those from the pace, and differs by whole seconds too.
"""

from __future__ import annotations

import math
from statistics import median
from typing import TYPE_CHECKING, Final

from lab.verdict import Verdict
from reports.comparison.model import Duration, Durations

if TYPE_CHECKING:
    from reports.model import Results

DEVIATIONS: Final = 3.0
# Of a normal distribution: standard deviation to median absolute deviation.
_TO_SIGMA: Final = 1.4826
# With fewer pairs their scatter says little: what is not twice or half as much is taken for noise.
ENOUGH_PAIRS: Final = 8
NOISE_OF_FEW: Final = 2.0
# Nobody decides anything on less: a quarter, and two seconds.
LEAST_NOISE: Final = 1.25
LEAST_SECONDS: Final = 2.0
# A shorter scenario is all overhead.
_SHORTEST: Final = 0.5


def durations(old: Results, new: Results) -> Durations:
    """Judge the durations of the scenarios that passed in both runs."""
    before = {
        scenario.id: scenario.seconds for scenario in old.scenarios if scenario.verdict is Verdict.PASSED
    }
    pairs = [
        (scenario, before[scenario.id])
        for scenario in new.scenarios
        if scenario.verdict is Verdict.PASSED
        and scenario.id in before
        and min(scenario.seconds, before[scenario.id]) >= _SHORTEST
    ]
    ratios = [math.log(scenario.seconds / was) for scenario, was in pairs]
    if len(pairs) >= ENOUGH_PAIRS:
        middle = median(ratios)
        spread = DEVIATIONS * _TO_SIGMA * median(abs(ratio - middle) for ratio in ratios)
        limit = max(math.log(LEAST_NOISE), spread)
    else:
        middle, limit = 0.0, math.log(NOISE_OF_FEW)
    pace = math.exp(middle)
    beyond = [
        Duration(
            id=scenario.id, name=scenario.name, old=was, expected=round(was * pace, 3), new=scenario.seconds
        )
        for (scenario, was), ratio in zip(pairs, ratios, strict=True)
        if abs(ratio - middle) > limit and abs(scenario.seconds - was * pace) >= LEAST_SECONDS
    ]
    beyond.sort(key=lambda each: abs(each.new - each.expected), reverse=True)
    return Durations(compared=len(pairs), pace=round(pace, 3), noise=round(math.exp(limit), 3), beyond=beyond)
