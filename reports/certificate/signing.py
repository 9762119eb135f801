"""Signing a run: its statement, in an envelope, in its folder."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from reports.certificate.envelope import PAYLOAD_TYPE, Envelope
from reports.certificate.files import CERTIFICATE, RESULTS, digests
from reports.certificate.reading import checked, json_document, json_file, results_in
from reports.certificate.refusal import Refusal
from reports.certificate.statement import Statement, state
from reports.certification import Rules, judge

if TYPE_CHECKING:
    from pathlib import Path

    from reports.certificate.keys import PrivateKey


def sign(run: Path, key: PrivateKey) -> Statement:
    """Sign the run in a folder for the first time; returns what was signed.

    Raises Refusal where it is signed, or its results are not what its scenarios and the rules say.
    """
    if (run / CERTIFICATE).exists():
        raise Refusal(f"{run} is signed already: countersign it, or remove its {CERTIFICATE} first")
    results = results_in(run / RESULTS)
    rules = Rules.read()
    if judge(results, rules) != results.certification:
        raise Refusal(f"{run}: its certification is not what the rules of this suite say of its results")
    statement = state(results, digests(run), rules, datetime.now(UTC).replace(microsecond=0))
    _write(run, Envelope(statement.document()).signed(key))
    return statement


def countersign(run: Path, key: PrivateKey) -> Statement:
    """Add a signature to a signed run, whose files were verified before; returns what was signed."""
    envelope, statement = signed_statement(run)
    _write(run, envelope.signed(key))
    return statement


def signed_statement(run: Path) -> tuple[Envelope, Statement]:
    """The certificate of a run, read but not verified. Raises Refusal."""
    document, data = json_file(run / CERTIFICATE)
    try:
        envelope = Envelope.read(document, data)
    except Refusal as refusal:
        raise Refusal(f"{CERTIFICATE}: {refusal}") from None
    if envelope.payload_type != PAYLOAD_TYPE:
        raise Refusal(
            f"{CERTIFICATE}: its payload is a {envelope.payload_type!r:.100}, and not a {PAYLOAD_TYPE}"
        )
    what = f"the statement in {CERTIFICATE}"
    statement = checked(Statement, json_document(envelope.payload, what), what)
    if statement.document() != envelope.payload:
        raise Refusal(f"{what} is not in the form in which `reports sign` writes it")
    return envelope, statement


def _write(run: Path, envelope: Envelope) -> None:
    part = run.parent / f".{run.name}.{CERTIFICATE}"
    part.write_bytes(envelope.document())
    part.replace(run / CERTIFICATE)
