"""RPM's order of versions, on the vectors that rpm publishes in tests/rpmvercmp.at."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.rpm_version import Evr, sorting_key

# Left, right, and what rpm.vercmp says of them.
VECTORS = """
1.0 1.0 0 | 1.0 2.0 -1 | 2.0 1.0 1 | 2.0.1 2.0.1 0 | 2.0 2.0.1 -1 | 2.0.1 2.0 1 | 2.0.1a 2.0.1a 0
2.0.1a 2.0.1 1 | 2.0.1 2.0.1a -1 | 5.5p1 5.5p1 0 | 5.5p1 5.5p2 -1 | 5.5p2 5.5p1 1 | 5.5p10 5.5p10 0
5.5p1 5.5p10 -1 | 5.5p10 5.5p1 1 | 10xyz 10.1xyz -1 | 10.1xyz 10xyz 1 | xyz10 xyz10 0 | xyz10 xyz10.1 -1
xyz10.1 xyz10 1 | xyz.4 xyz.4 0 | xyz.4 8 -1 | 8 xyz.4 1 | xyz.4 2 -1 | 2 xyz.4 1 | 5.5p2 5.6p1 -1
5.6p1 5.5p2 1 | 5.6p1 6.5p1 -1 | 6.5p1 5.6p1 1 | 6.0.rc1 6.0 1 | 6.0 6.0.rc1 -1 | 10b2 10a1 1
10a2 10b2 -1 | 1.0aa 1.0aa 0 | 1.0a 1.0aa -1 | 1.0aa 1.0a 1 | 10.0001 10.0001 0 | 10.0001 10.1 0
10.1 10.0001 0 | 10.0001 10.0039 -1 | 10.0039 10.0001 1 | 4.999.9 5.0 -1 | 5.0 4.999.9 1
20101121 20101121 0 | 20101121 20101122 -1 | 20101122 20101121 1 | 2_0 2_0 0 | 2.0 2_0 0 | 2_0 2.0 0
a a 0 | a+ a+ 0 | a+ a_ 0 | a_ a+ 0 | +a +a 0 | +a _a 0 | _a +a 0 | +_ +_ 0 | _+ +_ 0 | + _ 0 | _ + 0
1.0~rc1 1.0~rc1 0 | 1.0~rc1 1.0 -1 | 1.0 1.0~rc1 1 | 1.0~rc1 1.0~rc2 -1 | 1.0~rc2 1.0~rc1 1
1.0~rc1~git123 1.0~rc1~git123 0 | 1.0~rc1~git123 1.0~rc1 -1 | 1.0~rc1 1.0~rc1~git123 1
1.0^ 1.0^ 0 | 1.0^ 1.0 1 | 1.0 1.0^ -1 | 1.0^git1 1.0^git1 0 | 1.0^git1 1.0 1 | 1.0 1.0^git1 -1
1.0^git1 1.0^git2 -1 | 1.0^git2 1.0^git1 1 | 1.0^git1 1.01 -1 | 1.01 1.0^git1 1
1.0^20160101 1.0^20160101 0 | 1.0^20160101 1.0.1 -1 | 1.0.1 1.0^20160101 1
1.0^20160101^git1 1.0^20160101^git1 0 | 1.0^20160102 1.0^20160101^git1 1 | 1.0^20160101^git1 1.0^20160102 -1
1.0~rc1^git1 1.0~rc1^git1 0 | 1.0~rc1^git1 1.0~rc1 1 | 1.0~rc1 1.0~rc1^git1 -1
1.0^git1~pre 1.0^git1~pre 0 | 1.0^git1 1.0^git1~pre 1 | 1.0^git1~pre 1.0^git1 -1
"""


@pytest.mark.parametrize("vector", [each for line in VECTORS.split("\n") for each in line.split("|") if each])
def test_versions_sort_as_rpm_publishes(vector: str) -> None:
    left, right, expected = vector.split()
    one, other = sorting_key(left), sorting_key(right)
    assert (one > other) - (one < other) == int(expected)


@given(st.text("01aZ.~^_-", max_size=12), st.text("01aZ.~^_-", max_size=12))
def test_the_order_is_one(left: str, right: str) -> None:
    one, other = sorting_key(left), sorting_key(right)
    assert (one < other) + (one == other) + (one > other) == 1


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        ("2.02-123.0.2.an8_6.8", "1:2.02-106.0.1.an8"),  # the epoch goes before all
        ("1:2.02-106.0.1.an8", "1:2.02-123.0.2.an8_6.8"),
        ("4.19.91-26.an8", "5.10.134-13_rc2.an8"),
        ("5.9.1-1", "5.10.1-1"),
        ("5.10.134-12.2.an8", "5.10.134-13.an8"),
        ("(none):1.0-9", "1:1.0-1"),
    ],
)
def test_packages_sort_by_epoch_version_release(older: str, newer: str) -> None:
    assert Evr.parse(older) < Evr.parse(newer)
    assert not Evr.parse(newer) <= Evr.parse(older)


def test_the_same_version_written_otherwise_is_the_same() -> None:
    assert Evr.parse("0:1.0-1") == Evr.parse("1.0-1") == Evr.parse("1.00-1")
    assert len({Evr.parse("0:1.0-1"), Evr.parse("1.00-1")}) == 1
    assert str(Evr.parse("1:2.02-106.0.1.an8")) == "1:2.02-106.0.1.an8"
    assert str(Evr.parse("0:5.10")) == "5.10"


@pytest.mark.parametrize(
    ("version", "belongs"),
    [
        ("5.10.134-13_rc2.an8", True),
        ("5.10", True),
        ("5.100.1-1", False),
        ("5.1-1", False),
        ("4.19.91-26", False),
    ],
)
def test_a_series_is_compared_part_by_part(version: str, belongs: bool) -> None:
    assert Evr.parse(version).is_of("5.10") is belongs


@pytest.mark.parametrize("text", ["", "a:1-1", "1-2-3", "1 2"])
def test_what_is_no_version_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no version"):
        Evr.parse(text)
