"""The project's own feature files, by the rules of `feature_lint`."""

from __future__ import annotations

import importlib
import tomllib
from pathlib import Path

import pytest
from pytest_bdd.steps import step_function_context_registry

from tests.project.feature_lint import FeatureLint

ROOT = Path(__file__).parents[2]
# Proves no clause of the guide, and runs only where a challenge is given.
CHALLENGE = ROOT / "fixtures/challenge.feature"
FEATURES = [*sorted((ROOT / "features").rglob("*.feature")), CHALLENGE]


@pytest.fixture(scope="module")
def linted() -> FeatureLint:
    for module in sorted((ROOT / "steps").glob("[!_]*.py")):
        importlib.import_module(f"steps.{module.stem}")
    definitions = [
        each
        for each in step_function_context_registry.values()
        if each.step_func.__module__.startswith("steps.")
    ]
    clauses = tomllib.loads((ROOT / "docs/clauses.toml").read_text(encoding="utf-8"))["clause"]
    linter = FeatureLint([clause["id"] for clause in clauses], definitions)
    for file in FEATURES:
        linter.add(file)
    return linter


def test_there_are_features() -> None:
    assert FEATURES


def test_the_features_are_clean(linted: FeatureLint) -> None:
    found = [
        each
        for each in linted.complaints
        if (each.file, each.what) != (str(CHALLENGE), "a scenario that names no clause")
    ]
    assert not found, "\n".join(str(each) for each in sorted(found))


def test_every_step_definition_is_used(linted: FeatureLint) -> None:
    assert not linted.unused(), "\n".join(str(each) for each in linted.unused())


def test_every_step_module_is_loaded_by_the_suite(pytestconfig: pytest.Config) -> None:
    modules = [f"steps.{module.stem}" for module in (ROOT / "steps").glob("[!_]*.py")]
    assert [name for name in modules if not pytestconfig.pluginmanager.has_plugin(name)] == []
