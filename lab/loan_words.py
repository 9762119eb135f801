"""What the ledger tells of a loan: what was there before, how it is now, and how that is known."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lab.record import Operation

if TYPE_CHECKING:
    from lab.journal import Entry

# What is borrowed, by a loan's kind, where that is not the word itself.
_THINGS = {
    "new-file": "file",
    "secret-policy": "policy of the key",
    "keyset-policy": "policy of the keyset",
    "secret": "key",
    "host-image": "the host's images of",
    "secrets": "keys",
    "connections": "records of launches with the digest",
}
# How it is known that a loan is back, by its kind (lab/giving_back.py).
_VERIFIED = {
    "file": "comparing its checksum",
    "pod": "watching the API until it was gone",
    "image": "the registry's answer",
    "host-image": "crictl's list of images",
    "secret-policy": "reading the row again",
    "keyset-policy": "reading the row again",
}


def name_of(loan: Entry) -> str:
    """What a loan is called, by what its entry in the journal says."""
    details = loan.details
    if "secrets" in details:
        return ", ".join(details["secrets"])
    for key in ("path", "name", "repository", "secret", "keyset", "digest", "id"):
        if key in details:
            return str(details[key])
    return f"{loan.run}-{loan.number}"


def given_back(loan: Entry, after: str) -> Operation:
    """The ledger's entry of a loan that was given back."""
    return _entry(loan, after, undone_by="not needed: it was given back")


def not_given_back(loan: Entry, why: str) -> Operation:
    """The ledger's entry of a loan that could not be given back."""
    undone_by = f"the next run, or ./run --restore: {loan.path} on the host says what is to be done"
    return _entry(loan, "not given back", undone_by=undone_by, failed=why)


def to_give_back(loan: Entry) -> Operation:
    """The ledger's entry of a loan that a killed run left, and a run that changes nothing leaves as well."""
    what = f"{loan.kind} {name_of(loan)}"
    return Operation(
        name=f"give back {what}",
        looked_at=loan.path,
        before=f"borrowed by the run {loan.run}, which did not give it back",
        after="the same",
        changed=True,
        verified_by="",
        undone_by="not needed: it becomes what it was before that run",
        applied=False,
    )


def _entry(loan: Entry, after: str, *, undone_by: str, failed: str = "") -> Operation:
    what = f"{_THINGS.get(loan.kind, loan.kind)} {name_of(loan)}"
    verified = _VERIFIED.get(loan.kind, "its removal, which ended without an error")
    return Operation(
        name=f"borrow {what}",
        looked_at=what,
        before=_before(loan.kind, loan.details),
        after=after,
        changed=bool(failed),
        verified_by="" if failed else verified,
        undone_by=undone_by,
        kind="borrowed",
        failed=failed,
    )


def _before(kind: str, details: dict[str, Any]) -> str:
    """What was there before the loan was taken; all but these kinds add something that was not."""
    if kind == "file":
        return f"SHA-256 {details['sha256']}"
    if kind in {"secret-policy", "keyset-policy"}:
        policy = details["policy"]
        return "held to no policy" if policy is None else f"held to policy {policy}"
    if kind == "host-image":
        return f"{len(details['before'])} images on the host in all"
    return "there was none"
