"""`sign` and `countersign`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from reports.certificate.files import CERTIFICATE
from reports.certificate.keys import passphrase_from, private_key, public_key
from reports.certificate.refusal import Refusal
from reports.certificate.signing import countersign, sign
from reports.certificate.verification import UNPROVED, now, verify
from reports.cli.common import add_challenge, add_signing_key, challenge_in, run_folder, say, tell_rules

if TYPE_CHECKING:
    import argparse

    from reports.certificate.statement import Statement


def add(commands: Any) -> None:
    """Name the arguments."""
    parser = commands.add_parser("sign", help="sign a run: its results, and every file of it")
    parser.add_argument("run", type=Path, metavar="RUN", help="the run's folder, such as reports/latest")
    add_signing_key(parser)
    parser.set_defaults(carry_out=_sign)
    parser = commands.add_parser("countersign", help="verify a signed run, and add a signature to it")
    parser.add_argument("run", type=Path, metavar="RUN", help="the run's folder")
    add_signing_key(parser)
    parser.add_argument(
        "--signed-by",
        type=Path,
        required=True,
        action="append",
        metavar="FILE",
        help="the public key of who signed it before",
    )
    add_challenge(parser)
    parser.set_defaults(carry_out=_countersign)


def _sign(chosen: argparse.Namespace) -> int:
    run = run_folder(chosen.run)
    key = private_key(chosen.key, passphrase_from(chosen.passphrase_env, chosen.passphrase_file))
    _tell(run, sign(run, key), f"signed by {key.public.id}")
    return 0


def _countersign(chosen: argparse.Namespace) -> int:
    run = run_folder(chosen.run)
    key = private_key(chosen.key, passphrase_from(chosen.passphrase_env, chosen.passphrase_file))
    others = [public_key(path) for path in chosen.signed_by]
    challenge = challenge_in(chosen.challenge)
    found = verify(run, others, threshold=len(others), now=now(), challenge=challenge)
    found.problems += [note for note in found.notes if note == UNPROVED]
    if found.problems:
        told = "\n".join(f"  {problem}" for problem in found.problems)
        raise Refusal(f"not countersigned, as this does not fit:\n{told}")
    _tell(run, countersign(run, key), f"countersigned by {key.public.id}")
    return 0


def _tell(run: Path, statement: Statement, done: str) -> None:
    say(f"{run / CERTIFICATE}: {done}")
    say(statement.conformance.reads)
    tell_rules(statement.conformance.broken_rules)
