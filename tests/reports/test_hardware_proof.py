"""A challenge, from its making to what its answer proves."""

from __future__ import annotations

import base64
import io
import json
import os
import stat
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from lab.certificates import Roots, SoftwarePlatform, verify_chain
from lab.certificates.formats import Usage
from lab.challenge.documents import Answer, PrivatePart, make, read_challenge, read_private, session_digest
from lab.challenge.session import mac
from lab.errors import LabError
from lab.fact import Fact
from lab.launches import Inputs
from reports.__main__ import main
from reports.certificate import hardware
from reports.certificate.hardware import Proof, prove
from reports.model import Evidence, SessionFacts
from simlab.psp import guest
from simlab.sev.certificate import Certificate
from tests.lab.test_measurement import WITH_HASHES
from tests.reports.certified import results, scenario
from tests.reports.test_recomputed import FIRMWARE, KERNEL, LAB, ONLINE

if TYPE_CHECKING:
    from pathlib import Path

PLATFORM = SoftwarePlatform()
CHAIN = PLATFORM.chain()
IDENTITY = verify_chain(CHAIN, Roots({})).identity(CHAIN)
INPUTS = Inputs(firmware=FIRMWARE, kernel=KERNEL, initrd=ONLINE, append="quiet sev_conformance.nonce=1")
DIGEST = INPUTS.digest(WITH_HASHES)
IMAGES = {FIRMWARE: WITH_HASHES}


@pytest.fixture(scope="module")
def private() -> PrivatePart:
    return make(CHAIN, Roots({IDENTITY.ark: "test"}), 3)


def answered(private: PrivatePart, **fields: Any) -> dict[str, Any]:
    """What the platform's firmware answers, as kata shows it."""
    owner = Certificate.read(io.BytesIO(base64.b64decode(private.public.owner))).ecc_key()
    session = base64.b64decode(private.public.session)
    _, tik = guest.unwrap(PLATFORM._keys[Usage.PDH], owner, session, 3)
    nonce = os.urandom(16)
    measured = b"\x04" + bytes([1, 42, 42]) + (3).to_bytes(4, "little") + base64.b64decode(DIGEST) + nonce
    answer = Answer(
        challenge=private.public.id,
        answered=datetime.now(UTC) + timedelta(seconds=1),
        session=session_digest(private.public),
        policy=3,
        api_major=1,
        api_minor=42,
        build=42,
        measurement=base64.b64encode(mac(tik, measured) + nonce).decode(),
        launch_digest=DIGEST,
        inputs=INPUTS,
    )
    return answer.model_dump(mode="json") | fields


def proof(
    folder: Path, private: PrivatePart, answer: Any, *, platform: Any = IDENTITY, **images: bytes
) -> Proof:
    file = folder / "answer.json"
    file.write_text(json.dumps(answer))
    kept = Evidence(
        name="challenge response",
        file="answer.json",
        media_type="application/json",
        size=1,
        step=3,
        fact=Fact.CHALLENGE_RESPONSE,
    )
    run = results(scenario("s", evidence=[kept]), lab=LAB, session=SessionFacts(platforms=[platform]))
    run.run.started = datetime.now(UTC) - timedelta(minutes=1)
    run.run.finished = datetime.now(UTC) + timedelta(minutes=1)
    return prove(run, folder, private, IMAGES)


def test_the_platform_s_answer_proves_what_was_launched(tmp_path: Path, private: PrivatePart) -> None:
    found = proof(tmp_path, private, answered(private))
    assert found.problems == []
    told = "\n".join(found.lines)
    assert f"launch digest {DIGEST}\n" in told
    assert f"kernel {KERNEL}" in told
    assert "sev_conformance.nonce=1" in told
    assert "NOT AMD's" in told
    assert "no hardware is proved" in told


def test_a_chain_of_amd_s_reads_as_hardware(
    tmp_path: Path, private: PrivatePart, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hardware, "AMD", {"Milan": IDENTITY.ark})
    told = "\n".join(proof(tmp_path, private, answered(private)).lines)
    assert f"answered by the PSP of the chip {IDENTITY.cek}" in told


OTHER = base64.b64encode(bytes(32)).decode()


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"launch_digest": OTHER}, "was not made with the session's key, or is of another launch digest"),
        ({"policy": 1}, "the guest's policy was 1"),
        ({"build": 43}, "was not made with the session's key"),
        ({"build": 4300}, "build 4300 is none"),
        ({"measurement": OTHER}, "was not made with the session's key"),
        ({"inputs": vars(INPUTS) | {"append": "quiet"}}, "what was launched measures to"),
        ({"inputs": vars(INPUTS) | {"kernel": "9" * 64}}, "and the lab file pins"),
        ({"inputs": vars(INPUTS) | {"initrd": "9" * 64}}, "which is none that the lab file pins"),
        ({"session": "0" * 64}, "an answer to another session"),
        ({"answered": "2020-01-01T00:00:00Z"}, "before the challenge was made"),
        ({"answered": "2100-01-01T00:00:00Z"}, "at 2100-01-01 00:00:00, and not while the run went on"),
        ({"challenge": "challenge-" + "0" * 32}, "the run has no answer to"),
        ({"measurement": "<b>"}, "does not fit its schema: measurement"),
        ({"more": 1}, "does not fit its schema: more"),
    ],
    ids=range(14),
)
def test_any_other_answer_proves_nothing(
    tmp_path: Path, private: PrivatePart, fields: dict[str, Any], told: str
) -> None:
    found = proof(tmp_path, private, answered(private, **fields))
    assert found.lines == []
    assert any(told in problem for problem in found.problems), found.problems


def test_an_answer_of_another_platform_proves_nothing_of_this_one(
    tmp_path: Path, private: PrivatePart
) -> None:
    other = type(IDENTITY)(chain="0" * 64, ark=IDENTITY.ark, cek="1" * 64, pdh="2" * 64)
    found = proof(tmp_path, private, answered(private), platform=other)
    assert any("another platform than the challenge's" in problem for problem in found.problems)


def test_a_challenge_is_two_files_of_which_one_is_private(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    chain, root = tmp_path / "chain", tmp_path / "root"
    chain.write_bytes(CHAIN)
    ark = next(each for each in verify_chain(CHAIN, Roots({})).certificates if each.usage is Usage.ARK)
    root.write_bytes(ark.data)
    public, private = tmp_path / "public.json", tmp_path / "private.json"
    files = ["--chain", str(chain), "--public", str(public), "--private", str(private)]
    assert main(["challenge", *files]) == 1
    assert "is none of the roots allowed here (Naples" in capsys.readouterr().err
    assert not private.exists()
    assert main(["challenge", *files, "--root", str(root)]) == 0
    assert "not AMD's" in capsys.readouterr().out
    assert stat.S_IMODE(private.stat().st_mode) == 0o600
    kept, given = read_private(private), read_challenge(public)
    assert kept.public == given
    assert kept.tik not in public.read_text()
    assert kept.tik not in repr(kept)
    with pytest.raises(LabError, match="it is the private part"):
        read_challenge(private)
    assert main(["challenge", *files, "--root", str(root)]) == 4
    assert "is never written over" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--chain", "nowhere"], "--chain nowhere: No such file"),
        (["--chain", "CHAIN", "--root", "nowhere"], "--root nowhere: No such file"),
        (["--chain", "CHAIN", "--root", "CHAIN"], "no ARK in AMD's certificate format"),
        (["--chain", "CHAIN", "--policy", "-1"], "--policy -1: it is 32 bits"),
        ([], "the following arguments are required: --chain"),
    ],
    ids=range(5),
)
def test_a_mistake_in_making_one_is_named(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    told: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "CHAIN").write_bytes(CHAIN)
    assert main(["challenge", *arguments]) == 4
    assert told in capsys.readouterr().err


@pytest.mark.parametrize(
    "content", [b"", b"{}", b"\xff", b'{"kind": "sev-conformance challenge 1"}'], ids=range(4)
)
def test_what_is_no_challenge_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "file").write_bytes(content)
    for read in (read_challenge, read_private):
        with pytest.raises(LabError, match="it is none"):
            read(tmp_path / "file")
