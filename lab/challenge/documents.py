"""The three documents of a challenge: what goes to the vendor, what stays, and what comes back."""

from __future__ import annotations

import base64
import hashlib
import secrets
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Final, Literal, TypeVar

from cryptography.hazmat.primitives.asymmetric import ec
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lab.bounded import read_at_most
from lab.certificates import Roots, verify_chain
from lab.certificates.formats import PLATFORM_SIZE, Usage, platform_certificate
from lab.challenge.session import Build, answers, open_session
from lab.errors import LabError
from lab.launches import Inputs

if TYPE_CHECKING:
    from pathlib import Path

    from lab.record import PlatformIdentity

LARGEST: Final = 1 << 18
ANSWER: Final = "challenge-response.json"
Base64 = Annotated[str, Field(max_length=1 << 16, pattern=r"^[A-Za-z0-9+/]*={0,2}$")]
Hex = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Identifier = Annotated[str, Field(pattern=r"^challenge-[0-9a-f]{32}$")]


class _Document(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


D = TypeVar("D", bound=_Document)


class Challenge(_Document):
    """The public part. `chain` is the platform's it was made for; `owner` and `session` start a launch."""

    kind: Literal["sev-conformance challenge 1"] = "sev-conformance challenge 1"
    id: Identifier
    made: datetime
    policy: int = Field(ge=0, lt=1 << 32)
    chain: Base64
    owner: Base64
    session: Base64

    @property
    def pdh(self) -> bytes:
        """The PDH of the platform that can answer."""
        return base64.b64decode(self.chain)[:PLATFORM_SIZE]


class PrivatePart(_Document):
    """What its maker keeps: the integrity key, and the public part as it was given away."""

    kind: Literal["sev-conformance challenge 1, PRIVATE"] = "sev-conformance challenge 1, PRIVATE"
    tik: Base64 = Field(repr=False)
    public: Challenge

    @property
    def key(self) -> bytes:
        """The session's integrity key (TIK)."""
        return base64.b64decode(self.tik)

    @property
    def platform(self) -> PlatformIdentity:
        """The platform that can answer. Raises LabError where the chain cannot be read."""
        chain = base64.b64decode(self.public.chain)
        report = verify_chain(chain, Roots({}))
        if not report.certificates:
            raise LabError(f"the challenge's chain: {report.broken[0]}")
        return report.identity(chain)


class Answer(_Document):
    """What a platform answered, and what was launched; all but `inputs` is as kata sent it.

    `measurement` is the firmware's: 32 bytes of HMAC and the nonce of 16.
    """

    kind: Literal["sev-conformance challenge 1, answer"] = "sev-conformance challenge 1, answer"
    challenge: Identifier
    answered: datetime
    session: Hex
    policy: int
    api_major: int
    api_minor: int
    build: int
    measurement: Base64
    launch_digest: Base64
    inputs: Inputs

    def measured_by(self, tik: bytes) -> bool:
        """Whether the holder of the session's integrity key measured just this launch."""
        return answers(
            base64.b64decode(self.measurement),
            tik=tik,
            policy=self.policy,
            build=Build(self.api_major, self.api_minor, self.build),
            digest=base64.b64decode(self.launch_digest),
        )


def make(chain: bytes, roots: Roots, policy: int) -> PrivatePart:
    """A challenge for the platform whose chain this is. Raises LabError for one that does not verify."""
    report = verify_chain(chain, roots)
    if report.broken:
        raise LabError(f"the certificate chain is no good: {'; '.join(report.broken)}")
    pdh = platform_certificate(chain, Usage.PDH).key
    if not isinstance(pdh, ec.EllipticCurvePublicKey):
        raise LabError("the certificate chain's PDH is no key on a curve")
    opened = open_session(pdh, policy)
    public = Challenge(
        id=f"challenge-{secrets.token_hex(16)}",
        made=datetime.now(UTC).replace(microsecond=0),
        policy=policy,
        chain=_encoded(chain),
        owner=_encoded(opened.owner),
        session=_encoded(opened.session),
    )
    return PrivatePart(tik=_encoded(opened.tik), public=public)


def read_challenge(path: Path) -> Challenge:
    """The public part in a file. Raises LabError, and says so of a private one, which must not be here."""
    data = _read(path)
    if b"PRIVATE" in data:
        raise LabError(f"challenge {path}: it is the private part, which stays with the certifier")
    return _parsed(Challenge, path, data)


def read_private(path: Path) -> PrivatePart:
    """The private part in a file. Raises LabError, which shows nothing of it."""
    return _parsed(PrivatePart, path, _read(path))


def session_digest(challenge: Challenge) -> str:
    """SHA-256 in hex of what starts the launch: which session an answer is to."""
    return hashlib.sha256(f"{challenge.owner}\n{challenge.session}".encode()).hexdigest()


def _encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _read(path: Path) -> bytes:
    try:
        return read_at_most(path, LARGEST)
    except OSError as error:
        raise LabError(f"challenge {path}: it cannot be read: {error.strerror}") from None


def _parsed(model: type[D], path: Path, data: bytes) -> D:
    try:
        return model.model_validate_json(data)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        place = ".".join(map(str, first["loc"])) or "document"
        raise LabError(f"challenge {path}: it is none, {place}: {first['msg']}") from None
