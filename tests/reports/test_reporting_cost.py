"""What reporting adds to a run of the whole guide: the same scenarios, reported and not.

It is measured in the processor's time. The figures: `./test tests/reports/test_reporting_cost.py -s`.
"""

from __future__ import annotations

import resource
from typing import TYPE_CHECKING, Final

from reports.certificate.archive import pack

if TYPE_CHECKING:
    from pathlib import Path

    from tests.reports.small_suite import Suite

# A run of the whole guide on the simulated lab: 63 scenarios, 419 steps, 1,530 pieces of evidence, of which
# half are below 250 bytes and a tenth above 3,500, and 268 operations.
SCENARIOS: Final = 63
SECONDS: Final = 2.0
BYTES: Final = 5 << 20
# What the run takes by itself on a machine with little else to do. Where it takes longer the machine is
# slower, or others keep it busy, and reporting may take longer by as much.
QUIET: Final = 2.0
ATTEMPTS: Final = 2

FEATURE: Final = "Feature: all\n" + "".join(
    f"\n  @W-1.2\n  Scenario: number {number}\n    Given a lab\n"
    + "".join(f"    And look {look} of {number}\n" for look in range(6))
    for number in range(SCENARIOS)
)
# The suite imports the lab's parts in any case.
STEPS: Final = """
import random
import lab.parts

words = random.Random(7)  # the same in both runs

def rows(number):
    message = "Policy validated"
    return [{"id": words.getrandbits(64), "status": "OK", "message": message} for _ in range(number)]

@given(parsers.parse("look {look:d} of {number:d}"))
def _(record, look, number):
    record.evidence(f"SELECT polid, look {look}", {"statement": "x", "rows": rows(1)}, fact="sql")
    record.evidence("$ crictl pods --name online", "$ crictl pods\\n" + str(rows(2)), fact="command")
    record.evidence("pod", {"phase": "Running", "seen": rows(30 if look == 5 else 4)}, fact="pod")
    record.evidence("answer", rows(1))
    if look < 4:
        record.operation(operation(f"borrow row {look} of {number}", kind="borrowed"))
"""
# The same conftest, whose record only remembers: no recorder, no events, no reports.
UNREPORTED: Final = """
from lab.record import MemoryRecord

def pytest_configure(config):
    config.stash_record = MemoryRecord()
"""


def _seconds(suite: Suite, steps: str) -> float:
    """The processor's time, in seconds, of one run."""
    suite.write(FEATURE, steps)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with suite.start("-q") as process:
        said, _ = process.communicate(timeout=60)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert process.returncode == 0, said
    return (after.ru_utime + after.ru_stime) - (before.ru_utime + before.ru_stime)


def test_reporting_adds_less_than_two_seconds_and_five_megabytes_to_a_run(
    suite: Suite, tmp_path: Path
) -> None:
    for _ in range(ATTEMPTS):
        bare = _seconds(suite, STEPS + UNREPORTED)
        added, most = _seconds(suite, STEPS) - bare, SECONDS * max(1.0, bare / QUIET)
        if added < most:
            break
    pack((suite.path / "reports" / "latest").resolve(strict=True), tmp_path / "run.tar.gz")
    size = (tmp_path / "run.tar.gz").stat().st_size
    told = f"reporting adds {added:.2f} s to a run of {bare:.2f} s; the archive has {size / 1e6:.2f} MB"
    print(told)  # noqa: T201 - for who asks for the figures
    assert added < most, told
    assert size < BYTES, told
