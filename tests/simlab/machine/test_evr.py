"""Versions compare as rpm compares them; most cases are in rpm's own `tests/rpmvercmp.at`."""

from __future__ import annotations

import pytest

from simlab.machine.system.evr import Evr, compare


@pytest.mark.parametrize(
    ("one", "other", "order"),
    [
        ("1.0", "1.0", 0),
        ("1.0", "2.0", -1),
        ("2.0.1a", "2.0.1", 1),
        ("5.5p1", "5.5p10", -1),
        ("10xyz", "10.1xyz", -1),
        ("xyz10", "xyz10.1", -1),
        ("xyz.4", "8", -1),
        ("5.5p2", "5.6p1", -1),
        ("20101121", "20101122", -1),
        ("1.0010", "1.9", 1),
        ("4.999.9", "5.0", -1),
        ("2_0", "2.0", 0),
        ("1.0~rc1", "1.0", -1),
        ("1.0~rc1", "1.0~rc2", -1),
        ("1.0~rc1~git123", "1.0~rc1", -1),
        ("1.0^", "1.0", 1),
        ("1.0^git1", "1.01", -1),
        ("1.0^git1", "1.0^git2", -1),
        ("1.0~rc1^git1", "1.0~rc1", 1),
        ("1.0^git1~pre", "1.0^git1", -1),
        ("106.0.1.an8", "123.0.2.an8_6.8", -1),
    ],
)
def test_versions_compare_as_in_rpm(one: str, other: str, order: int) -> None:
    assert (compare(one, other), compare(other, one)) == (order, -order)


def test_an_epoch_wins_and_a_missing_release_is_any() -> None:
    assert Evr.parse("2.02-1") < Evr.parse("1:1.0-1")
    assert Evr.parse("1:2.02-106.0.1.an8") < Evr.parse("1:2.02-123.0.2.an8_6.8")
    assert Evr.parse("1.0").compare(Evr.parse("1.0-7")) == 0
    assert str(Evr.parse("1:2.02-106.0.1.an8")) == "1:2.02-106.0.1.an8"
