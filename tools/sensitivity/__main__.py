"""`python -m tools.sensitivity`: run the suite under faults, and write docs/sensitivity and its page."""

# ruff: noqa: T201 -- a command's output

from __future__ import annotations

import argparse
import sys
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from simlab.faults.catalogue import UnknownFaultError, faults, named
from tools.sensitivity import matrix
from tools.sensitivity.judging import CONTROL, Row, judge, judge_control
from tools.sensitivity.running import RunFailedError, run_under

if TYPE_CHECKING:
    from collections.abc import Sequence

    from simlab.faults.fault import Fault


def main() -> int:
    """Run what is wanted; returns 1 where the suite did not do as it should."""
    options = _parse()
    if options.page:
        matrix.write_page()
        return 0
    try:
        wanted = _wanted(options)
    except UnknownFaultError as error:
        print(f"sensitivity: {error}", file=sys.stderr)
        return 2
    began, rows, unrun = time.monotonic(), [], 0
    with ThreadPoolExecutor(options.lanes) as lanes:
        runs = {lanes.submit(_row, fault): fault for fault in wanted}
        for number, run in enumerate(as_completed(runs), start=1):
            fault = runs[run]
            name = fault.name if fault else CONTROL
            try:
                row = run.result()
            except RunFailedError as error:
                unrun += 1
                print(f"{number:3}/{len(runs)} {name}: did not run: {error}", flush=True)
                continue
            rows.append(row)
            if not options.dry:
                matrix.write([row])
            print(f"{number:3}/{len(runs)} {_told(row)}", flush=True)
    bad = sum(not row.good and not row.expected.get("uncaught") for row in rows)
    print(f"{len(rows)} runs, {bad + unrun} not as they should be, {time.monotonic() - began:.0f} s")
    return 1 if bad or unrun else 0


def _wanted(options: argparse.Namespace) -> Sequence[Fault | None]:
    """The faults to run under, the control first. Raises UnknownFaultError."""
    if options.fault:
        return [None if name == CONTROL else named(name) for name in options.fault]
    every: list[Fault | None] = [None, *faults().values()]
    if options.share is None:
        return every
    return share(options.share, datetime.now(UTC).date().toordinal())


def share(size: int, day: int) -> list[Fault]:
    """At most `size` of the faults that the suite is known to meet as it should; another day, others.

    In as many days as there are shares all have their turn.
    """
    rows = matrix.read()
    met = [fault for name, fault in faults().items() if name in rows and rows[name].good]
    shares = max(1, -(-len(met) // size))
    return met[day % shares :: shares]


def _row(fault: Fault | None) -> Row:
    results = run_under(fault)
    return judge(fault, results) if fault else judge_control(results)


def _told(row: Row) -> str:
    if row.good:
        return f"{row.fault}: as it should be ({row.seconds} s)"
    wrong = [
        *row.missing,
        *(f"{each} is {row.verdicts[each]}: {row.said.get(each, '')}" for each in row.alarms),
    ]
    return "\n        ".join([f"{row.fault}: NOT as it should be ({row.seconds} s)", *wrong])


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tools.sensitivity", description=__doc__)
    parser.add_argument("fault", nargs="*", help=f"only these ({CONTROL!r} is one); default: all")
    parser.add_argument("--lanes", type=int, default=3, help="runs at once (default: %(default)s)")
    parser.add_argument("--share", type=int, metavar="N", help="N faults, others on another day")
    parser.add_argument("--page", action="store_true", help="run nothing; write the page of the rows anew")
    parser.add_argument("--dry", action="store_true", help="write nothing")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
