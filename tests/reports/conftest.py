"""Fixtures of the tests of reports."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.reports.small_suite import Suite

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def suite(tmp_path: Path) -> Suite:
    return Suite(tmp_path)
