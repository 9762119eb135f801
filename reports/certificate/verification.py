"""Verifying a signed run, offline: everything that does not fit is named, all of it at once."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from reports import suite
from reports.certificate.consistency import contradictions, misplaced
from reports.certificate.files import RESULTS, Digest, digests
from reports.certificate.hardware import Proof, prove
from reports.certificate.reading import results_in
from reports.certificate.refusal import Refusal
from reports.certificate.signing import signed_statement
from reports.certificate.statement import Conformance, Statement, state
from reports.certification import Rules
from reports.page import PAGE, made
from reports.recomputed import Recomputation, recompute

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from lab.challenge.documents import PrivatePart
    from reports.certificate.envelope import Envelope
    from reports.certificate.keys import PublicKey
    from reports.model import Results, SuiteFacts

UNPROVED: Final = (
    "the profile demands proof of hardware, and whether the platform's answer is right only who made the "
    "challenge can tell: --challenge FILE"
)
FEATURES: Final = Path(__file__).parents[2] / "features"


@dataclass
class Verification:
    """What came of it: `problems` are empty where all fits. `conformance` is None without a statement.

    A report of a run that may not be certified can fit in all: `certified` says which it is.
    """

    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    signers: list[str] = field(default_factory=list)
    conformance: Conformance | None = None
    recomputation: Recomputation | None = None
    proof: Proof | None = None

    @property
    def certified(self) -> bool:
        """Whether it is a certificate, and all fits."""
        return not self.problems and self.conformance is not None and self.conformance.certified


def verify(
    run: Path,
    keys: Sequence[PublicKey],
    *,
    threshold: int,
    now: datetime,
    features: Path | None = None,
    firmwares: Mapping[str, bytes] | None = None,
    challenge: PrivatePart | None = None,
) -> Verification:
    """Verify the run in a folder by the keys of those who must have signed it.

    `features` has all scenarios that a run should have had: this suite's by default. `firmwares` are images
    by their SHA-256, with which launch digests are computed again. `challenge` is what its maker kept.
    """
    found = Verification()
    statement = results = files = None
    try:
        envelope, statement = signed_statement(run)
        found.conformance = statement.conformance
        _signatures(envelope, keys, threshold, found)
        _times(statement.conformance, now, found)
    except Refusal as refusal:
        found.problems.append(str(refusal))
    try:
        files = digests(run)
    except Refusal as refusal:
        found.problems.append(str(refusal))
    if statement and files is not None:
        found.problems += _differing_files(statement.conformance, files)
    try:
        results = results_in(run / RESULTS)
    except Refusal as refusal:
        found.problems.append(str(refusal))
    if results:
        found.problems += contradictions(results, features or FEATURES)
        found.problems += misplaced(results, files) if files is not None else []
        found.recomputation = recompute(results, run, firmwares)
        found.problems += found.recomputation.problems
        if challenge is not None:
            found.proof = prove(results, run, challenge, firmwares or {})
            found.problems += found.proof.problems
        elif Rules.read().demand_challenge(results):
            found.notes.append(UNPROVED)
    if statement and results and files is not None and RESULTS in files:
        expected = state(results, files, Rules.read(), statement.conformance.issued)
        found.problems += _differences(statement, expected)
        here = suite.look(FEATURES.parent)
        _other_suite(results, here, found)
        if not found.problems:
            _other_page(results, run, here, found)
    return found


def _signatures(envelope: Envelope, keys: Sequence[PublicKey], threshold: int, found: Verification) -> None:
    given = {key.id: key for key in keys}
    signed = {each.keyid for each in envelope.signatures}
    for keyid, key in given.items():
        if envelope.signature_of(key):
            found.signers.append(f"{key.name} ({keyid})")
        elif keyid in signed:
            found.problems.append(f"the signature that names {key.name} ({keyid}) was not made by it")
    if len(found.signers) < threshold:
        by = ", ".join(sorted(signed)) or "nobody"
        found.problems.append(
            f"signed by {len(found.signers)} of the keys that were given, not by {threshold}; it names: {by}"
        )
    found.notes += [
        f"it names a signer whose key was not given: {other}" for other in sorted(signed - set(given))
    ]


def _times(conformance: Conformance, now: datetime, found: Verification) -> None:
    if now > conformance.expires:
        found.problems.append(f"expired at {conformance.expires:%Y-%m-%d %H:%M} UTC")
    if conformance.issued < conformance.finished.replace(microsecond=0):
        found.problems.append("it was issued before the run ended")
    if now < conformance.issued:
        found.problems.append(f"it is issued in the future, at {conformance.issued:%Y-%m-%d %H:%M} UTC")


def _differing_files(conformance: Conformance, files: Mapping[str, Digest]) -> Iterator[str]:
    signed = conformance.files
    for name in sorted(signed.keys() | files.keys()):
        if name not in files:
            yield f"{name!r} is missing"
        elif name not in signed:
            yield f"{name!r} is not part of the signed run"
        elif (signed[name].sha256, signed[name].size) != (files[name].sha256, files[name].size):
            yield f"{name!r} was changed: SHA-256 {files[name].sha256}, signed {signed[name].sha256}"


def _differences(signed: Statement, expected: Statement) -> Iterator[str]:
    """Where the statement says other things than the run's results; files are told apart from it."""
    left, right = (each.model_dump(mode="json", by_alias=True) for each in (signed, expected))
    for document in (left, right):
        del document["predicate"]["sevCocoConformance"]["files"]
    for path, said, meant in _unequal(left, right, ""):
        yield f"the statement says {path} = {said!r:.120}, and the run's results {meant!r:.120}"


def _unequal(left: Any, right: Any, path: str) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(left, dict) and isinstance(right, dict):
        for key in sorted(left.keys() | right.keys()):
            yield from _unequal(left.get(key), right.get(key), f"{path}.{key}" if path else key)
    elif left != right:
        yield path, left, right


def _other_page(results: Results, run: Path, here: SuiteFacts, found: Verification) -> None:
    """What people read is made from the results: this suite, with these packages, makes the same bytes."""
    page = run / PAGE
    if here.commit != results.suite.commit or (page.is_file() and page.read_bytes() == made(results, run)):
        return
    told = f"{PAGE} is not what this suite makes of the results; read results.json"
    if here == results.suite:
        found.problems.append(told)
    else:
        found.notes.append(f"{told} (other packages, or changed files, may be why)")


def _other_suite(results: Results, here: SuiteFacts, found: Verification) -> None:
    """Rules and clauses are the verifying suite's: it should be the one that ran."""
    if here.commit != results.suite.commit:
        found.notes.append(
            f"the run was made by the suite at commit {results.suite.commit}, and this is {here.commit}: "
            "where they differ in clauses or rules, check out that commit and verify again"
        )


def now() -> datetime:
    """The time by which expiry is judged."""
    return datetime.now(UTC)
