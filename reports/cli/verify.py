"""`verify`: whether a signed run is what it says."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reports.certificate.keys import public_key
from reports.certificate.refusal import Mistake
from reports.certificate.verification import now, verify
from reports.cli.common import add_challenge, challenge_in, run_or_archive, say, tell_rules

if TYPE_CHECKING:
    import argparse

    from reports.certificate.verification import Verification


def add(commands: Any) -> None:
    """Name the arguments."""
    parser = commands.add_parser("verify", help="verify a signed run, offline")
    parser.add_argument("run", type=Path, metavar="RUN", help="the run's folder, or its archive")
    parser.add_argument(
        "--key",
        type=Path,
        required=True,
        action="append",
        metavar="FILE",
        help="the public key of who must have signed it, PEM; once for each",
    )
    parser.add_argument(
        "--threshold",
        type=int,
        metavar="N",
        help="how many of these keys must have signed it (default: all)",
    )
    parser.add_argument(
        "--firmware",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="a guest firmware of the release: launch digests are computed again with it",
    )
    add_challenge(parser)
    parser.set_defaults(carry_out=_verify)


def _verify(chosen: argparse.Namespace) -> int:
    keys = [public_key(path) for path in chosen.key]
    distinct = len({key.id for key in keys})
    if distinct < len(keys):
        raise Mistake("--key: the same key was given twice, and a threshold counts keys")
    threshold = distinct if chosen.threshold is None else chosen.threshold
    if not 1 <= threshold <= distinct:
        raise Mistake(f"--threshold {threshold}: {distinct} keys were given, so it is 1 to {distinct}")
    firmwares = dict(_firmware(path) for path in chosen.firmware)
    challenge = challenge_in(chosen.challenge)
    with run_or_archive(chosen.run) as run:
        found = verify(run, keys, threshold=threshold, now=now(), firmwares=firmwares, challenge=challenge)
    _tell(found)
    return 0 if found.certified else 1


def _firmware(path: Path) -> tuple[str, bytes]:
    try:
        image = path.read_bytes()
    except OSError as error:
        raise Mistake(f"--firmware {path}: {error.strerror}") from None
    return hashlib.sha256(image).hexdigest(), image


def _tell(found: Verification) -> None:
    for signer in found.signers:
        say(f"signed by {signer}")
    if found.conformance is not None:
        said = found.conformance
        say(f"run {said.run} on the lab {said.lab}, profile {said.profile}, until {said.expires:%Y-%m-%d}")
        for root in said.roots:
            say(f"platform's root: {root}")
    _tell_recomputed(found)
    for line in found.proof.lines if found.proof else []:
        say(line)
    for note in found.notes:
        say(f"note: {note}")
    if found.problems:
        say(f"REFUSED: {len(found.problems)} things do not fit")
        for problem in found.problems:
            say(f"  {problem}")
    elif found.conformance is not None:
        say(f"All fits. {found.conformance.reads}")
        tell_rules(found.conformance.broken_rules)


def _tell_recomputed(found: Verification) -> None:
    if found.recomputation is not None:
        for how, clauses in (
            ("computed again from the evidence", found.recomputation.whole),
            ("computed again in part", found.recomputation.part),
            ("by the signature alone", found.recomputation.signed),
        ):
            say(f"{len(clauses)} clauses {how}: {' '.join(clauses) or 'none'}")
