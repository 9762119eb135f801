"""`python -m reports sign`, `countersign`, `verify`, `bundle`: what they say, and their exit codes."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from reports.__main__ import main
from reports.certificate import verification
from reports.certification import Rules
from tests.reports.certified import ROOT, SignedRun

if TYPE_CHECKING:
    from pathlib import Path

PASSPHRASE = "a passphrase of the vendor's"


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SignedRun:
    made = SignedRun(tmp_path / "made")
    monkeypatch.setattr(verification, "FEATURES", made.features)
    return made


def write_keys(
    folder: Path,
    name: str,
    key: ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey,
    passphrase: str = "",
) -> tuple[str, str]:
    protection = (
        serialization.BestAvailableEncryption(passphrase.encode())
        if passphrase
        else serialization.NoEncryption()
    )
    private, public = folder / f"{name}.pem", folder / f"{name}.pub"
    private.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, protection)
    )
    public.write_bytes(
        key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    )
    return str(private), str(public)


@pytest.fixture
def vendor(tmp_path: Path, run: SignedRun) -> tuple[str, str]:
    return write_keys(tmp_path, "vendor", ed25519.Ed25519PrivateKey.generate())


def test_from_signing_to_a_verified_archive(
    run: SignedRun,
    vendor: tuple[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    private, public = vendor
    theirs, theirs_public = write_keys(
        tmp_path, "certifier", ec.generate_private_key(ec.SECP256R1()), PASSPHRASE
    )
    monkeypatch.setenv("PASSPHRASE", PASSPHRASE)
    folder, archive = str(run.folder), str(tmp_path / "run.tar.gz")
    assert main(["sign", folder, "--key", private]) == 0
    countersign = ["countersign", folder, "--key", theirs, "--signed-by", public]
    assert main([*countersign, "--passphrase-env", "PASSPHRASE"]) == 0
    assert main(["bundle", folder, "--output", archive]) == 0
    assert main(["verify", archive, "--key", public, "--key", theirs_public, "--threshold", "2"]) == 0
    said = capsys.readouterr().out
    assert "All fits. Certified" in said
    assert "platform's root: AMD Milan" in said
    assert PASSPHRASE not in said


def test_a_changed_file_is_named_and_ends_with_1(
    run: SignedRun, vendor: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    private, public = vendor
    assert main(["sign", str(run.folder), "--key", private]) == 0
    (run.folder / "index.html").write_text("<script>alert(1)</script>")
    (run.folder / "<b>\u4e2d.txt").write_text("more")
    assert main(["verify", str(run.folder), "--key", public]) == 1
    said = capsys.readouterr().out
    assert "REFUSED: 2 things do not fit" in said
    assert "'index.html' was changed" in said
    theirs, _ = write_keys(tmp_path, "certifier", ed25519.Ed25519PrivateKey.generate())
    assert main(["countersign", str(run.folder), "--key", theirs, "--signed-by", public]) == 1
    assert "not countersigned" in capsys.readouterr().err


def test_who_countersigns_where_proof_of_hardware_is_demanded_must_hold_the_run_to_the_challenge(
    run: SignedRun,
    vendor: tuple[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    private, public = vendor
    assert main(["sign", str(run.folder), "--key", private]) == 0
    theirs, _ = write_keys(tmp_path, "certifier", ed25519.Ed25519PrivateKey.generate())
    rules = dataclasses.replace(Rules.read(), challenged=frozenset({"anolis-8.6-coco-0.3.0"}))
    monkeypatch.setattr(Rules, "read", lambda: rules)
    assert main(["countersign", str(run.folder), "--key", theirs, "--signed-by", public]) == 1
    assert "only who made the challenge can tell: --challenge FILE" in capsys.readouterr().err
    assert main(["verify", str(run.folder), "--key", public]) == 1
    assert "proof-of-hardware" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["sign", "RUN", "--key", "nowhere.pem"], "key nowhere.pem: it cannot be read: No such file"),
        (["sign", "RUN", "--key", "PUBLIC"], "holds no private key in PEM"),
        (["sign", "RUN", "--key", "RSA"], "it is another kind of key; allowed is an Ed25519 key"),
        (["sign", "RUN", "--key", "LOCKED"], "it is encrypted; name its passphrase by --passphrase-env"),
        (["sign", "RUN", "--key", "LOCKED", "--passphrase-env", "WRONG"], "the passphrase is wrong, or"),
        (["sign", "RUN", "--key", "LOCKED", "--passphrase-env", "UNSET"], "variable UNSET is not set"),
        (["sign", "RUN", "--key", "LOCKED", "--passphrase-file", "nowhere"], "nowhere cannot be read"),
        (["sign", "RUN", "--key", "PRIVATE", "--passphrase-env", "WRONG"], "it is not encrypted"),
        (["sign", "nowhere", "--key", "PRIVATE"], "run nowhere: No such file"),
        (["sign", "FOLDER", "--key", "PRIVATE"], "it has no results.json"),
        (["sign", "RUN"], "the following arguments are required: --key"),
        (["verify", "RUN", "--key", "PRIVATE"], "it is a private key, which stays with its owner"),
        (["verify", "RUN", "--key", "TEXT"], "it holds no public key in PEM"),
        (["verify", "RUN", "--key", "RESULTS"], "it is larger than 65536 bytes"),
        (["verify", "RUN", "--key", "PUBLIC", "--key", "PUBLIC"], "the same key was given twice"),
        (["verify", "RUN", "--key", "PUBLIC", "--threshold", "2"], "it is 1 to 1"),
        (["verify", "nowhere.tar.gz", "--key", "PUBLIC"], "archive nowhere.tar.gz: there is no such file"),
        (["bundle", "RUN", "--output", "run.zip"], "its name must end in .tar.gz"),
        (["nothing"], "invalid choice: 'nothing'"),
    ],
    ids=range(19),
)
def test_a_mistake_is_named_and_ends_with_4(
    run: SignedRun,
    vendor: tuple[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    told: str,
) -> None:
    rsa_key, _ = write_keys(tmp_path, "rsa", rsa.generate_private_key(65537, 2048))
    locked, _ = write_keys(tmp_path, "locked", ed25519.Ed25519PrivateKey.generate(), PASSPHRASE)
    monkeypatch.setenv("WRONG", "not the passphrase")
    text = tmp_path / "text"
    text.write_text("no key\n")
    names = {
        "RUN": str(run.folder),
        "TEXT": str(text),
        "FOLDER": str(tmp_path),
        "RESULTS": str(run.folder / "results.json"),
        "PRIVATE": vendor[0],
        "PUBLIC": vendor[1],
        "RSA": rsa_key,
        "LOCKED": locked,
    }
    code = main([names.get(argument, argument) for argument in arguments])
    said = capsys.readouterr().err
    assert code == 4, said
    assert told in said
    assert "Traceback" not in said
    assert "not the passphrase" not in said


def test_who_reads_only_the_beginning_gets_no_traceback(run: SignedRun, vendor: tuple[str, str]) -> None:
    sign = [sys.executable, "-m", "reports", "sign", str(run.folder), "--key", vendor[0]]
    with subprocess.Popen(sign, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.stderr is not None
        assert process.stderr.read() == b""


def test_a_hostile_name_moves_no_cursor(
    run: SignedRun, vendor: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    private, public = vendor
    assert main(["sign", str(run.folder), "--key", private]) == 0
    (run.folder / "evidence" / "\x1b[2J\x1b]0;owned\x07").write_text("x")
    assert main(["verify", str(run.folder), "--key", public]) == 1
    assert "\x1b" not in capsys.readouterr().out
