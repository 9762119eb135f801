"""Canaries: a secret planted wherever a run takes in words, in every encoding; the bundle is searched."""

from __future__ import annotations

import gzip
import sys
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric import ed25519

from reports.certificate.archive import pack
from reports.certificate.keys import PrivateKey
from reports.certificate.signing import sign
from tests.lab.test_secret_forms import ENCODINGS
from tests.reports.small_suite import PASSWORD, ROOT

if TYPE_CHECKING:
    from pathlib import Path

    from tests.reports.small_suite import Suite

FEATURE = """\
Feature: Canaries

  @W-3.3
  Scenario: In what is recorded
    Then it is recorded

  @W-3.2
  Scenario: In an assertion
    Then it does not hold, and says so

  @W-3.1
  Scenario: In a bug
    Then it breaks

  @K-1.1
  Scenario: In a precondition and in cleaning up
    Given what is not given back
    Then it is not proven
"""
STEPS = """
import logging, sys, warnings
sys.path.insert(0, ROOT)
from tests.lab.test_secret_forms import ENCODINGS

SHOWN = [encode(PASSWORD) for encode in ENCODINGS.values()]
ALL = " ".join(SHOWN)

@then("it is recorded")
def _(record):
    for shown in [*SHOWN, ALL]:
        record.evidence(shown, shown)
        record.evidence("bytes", b"\\xff" + shown.encode())
        record.evidence("object", {shown: [shown, {"a": (shown,)}]})
        record.operation(operation(shown, before=shown, after=shown, failed=shown))
        record.finding(Finding(shown, shown, "X-2.3", shown, shown))
        record.version(shown, shown)
        record.waiting(Wait(shown, 31.0, 1.0, shown))
    print(ALL)
    print(ALL, file=sys.stderr)
    logging.getLogger("x").warning(ALL)
    warnings.warn(ALL)

@then("it does not hold, and says so")
def _():
    assert ALL == "nothing", ALL

@then("it breaks")
def _():
    raise ValueError(ALL)

@pytest.fixture
def lent():
    yield
    raise RuntimeError(ALL)

@given("what is not given back")
def _(lent):
    pass

@then("it is not proven")
def _():
    raise NotProven(ALL, owner="C-3.1")
"""


def test_no_canary_is_in_any_file_of_the_run(suite: Suite, tmp_path: Path) -> None:
    suite.write(FEATURE, STEPS.replace("ROOT", repr(str(ROOT)), 1))
    left = suite.run("-o", f"junit_suite_name={PASSWORD}")
    assert sorted(left.verdicts()) == [
        "In a bug",
        "In a precondition and in cleaning up",
        "In an assertion",
        "In what is recorded",
    ]
    assert len(left.scenario("In what is recorded").evidence) > 3 * len(ENCODINGS)
    sign(left.folder, PrivateKey("vendor", ed25519.Ed25519PrivateKey.generate()))
    pack(left.folder, tmp_path / "run.tar.gz")
    bundle = gzip.decompress((tmp_path / "run.tar.gz").read_bytes())
    canaries = {name: encode(PASSWORD).encode() for name, encode in ENCODINGS.items()}
    assert [name for name, canary in canaries.items() if canary in bundle] == []
    assert [name for name, canary in canaries.items() if canary.decode() in left.output] == []
    assert b"horse" not in bundle
    assert "horse" not in left.output
    assert sys.getsizeof(bundle) > 10_000
