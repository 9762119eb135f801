"""What a collected pytest item says of its scenario; the one place that knows pytest-bdd's insides."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pytest_bdd.scenario import scenario_wrapper_template_registry

from reports.model import ScenarioResult, StepResult

if TYPE_CHECKING:
    import pytest
    from pytest_bdd.parser import ScenarioTemplate

CLAUSE: Final = re.compile(r"[A-Z]-\d+\.\d+")


def slug(text: str) -> str:
    """`text` as part of an id or a file name: lower case, words (of any script) joined by hyphens."""
    return re.sub(r"[^\w.]+", "-", text).strip("-.").lower() or "unnamed"


def planned(item: pytest.Item) -> ScenarioResult | None:
    """The scenario of `item` before it ran; None where `item` is no scenario.

    pytest-bdd 9.0.1 keeps the template of a scenario in a registry keyed by the test function
    (`pytest_bdd/scenario.py`), as its own `generation.py` looks it up.
    """
    function = getattr(item, "obj", None)
    template = scenario_wrapper_template_registry.get(function) if function is not None else None
    if template is None:
        return None
    callspec = getattr(item, "callspec", None)
    example = callspec.params.get("_pytest_bdd_example", {}) if callspec else {}
    scenario = template.render(example)
    tags = _tags(template, item)
    path = Path(template.feature.filename)
    suffix = f"-{slug(callspec.id)}" if callspec and slug(callspec.id) not in slug(scenario.name) else ""
    return ScenarioResult(
        id=f"{path.stem}::{slug(scenario.name)}{suffix}",
        name=scenario.name,
        feature=template.feature.name,
        file=_relative(path, item.config.rootpath),
        line=scenario.line_number,
        description=scenario.description.strip(),
        tags=sorted(tags),
        clauses=sorted(tag for tag in tags if CLAUSE.fullmatch(tag)),
        steps=[
            StepResult(keyword=step.keyword.strip(), text=step.name, line=step.line_number)
            for step in scenario.steps
        ],
    )


def _tags(template: ScenarioTemplate, item: pytest.Item) -> set[str]:
    """The tags of the scenario, its rule, its feature, and (as marks) of its examples."""
    rule = template.rule.tags if template.rule else set()
    of_examples = {
        mark.name
        for examples in template.examples
        for mark in item.iter_markers()
        if mark.name in examples.tags
    }
    return {*template.tags, *template.feature.tags, *rule, *of_examples}


def _relative(path: Path, root: Path) -> str:
    """`path` as seen from the project's root, so that a report says the same wherever it was made."""
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else path.as_posix()
