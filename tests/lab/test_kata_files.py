"""Which of the node's files the operator's installer overwrote since they were seen last."""

from __future__ import annotations

import hashlib
import shlex
from typing import TYPE_CHECKING, Any

import pytest

from lab.execution import Result
from lab.kata_files import SEEN, KataFiles
from tests.lab.said import SayingHost

if TYPE_CHECKING:
    from lab.record import MemoryRecord

TOML, INITRD, FIRMWARE = "/opt/kata/sev.toml", "/opt/kata/initrd.img", "/opt/kata/OVMF.fd"
CONFIGURATION = f'[hypervisor.qemu]\nfirmware = "{FIRMWARE}"\nkernel_params = "%s"\n'


class FilesHost(SayingHost):
    """A host that knows when each of its files got there, in seconds."""

    def __init__(self) -> None:
        super().__init__({"date": "2026-11-23T15:00:00+00:00\n"})
        self.times: dict[str, str] = {}

    def put(self, path: str, text: str, at: int, written: int | None = None) -> None:
        self.files[path] = text.encode()
        self.times[path] = f"{at} {at if written is None else written}\n"

    def install(self, at: int) -> None:
        self.put(TOML, CONFIGURATION % "stock", at, written=7)
        self.put(INITRD, "stock", at + 1, written=7)
        self.put(FIRMWARE, "firmware", at + 2, written=7)

    def run(self, command: str, *args: object, **options: Any) -> Result:
        if command.startswith("stat"):
            return Result(command, 0, self.times[shlex.split(str(args[0]))[0]].encode(), b"", 0.0)
        return super().run(command, *args, **options)

    def sha256(self, path: str) -> str:
        return hashlib.sha256(self.files[path]).hexdigest()


@pytest.fixture
def host() -> FilesHost:
    host = FilesHost()
    host.install(at=1000)
    return host


@pytest.fixture
def files(host: FilesHost, record: MemoryRecord) -> KataFiles:
    profile: Any = type("Profile", (), {})()
    profile.kata = type("Kata", (), {"sev_configuration": TOML, "sev_initrd": INITRD})()
    return KataFiles(host.as_host, profile, [hashlib.sha256(b"the guide's").hexdigest()], record)


def test_what_the_installer_overwrote_is_told_by_its_name(
    host: FilesHost, files: KataFiles, record: MemoryRecord
) -> None:
    files.tell_overwritten()  # nobody saw anything yet
    host.put(INITRD, "the guide's", at=5000)
    files.remember()
    files.tell_overwritten()
    assert record.findings == []
    host.install(at=9000)
    files.tell_overwritten()
    (finding,) = record.findings
    assert finding.detail == (
        "initrd.img came with it at 1970-01-01T02:30:01+00:00;"
        " at 2026-11-23T15:00:00+00:00 the last run saw others there"
    )
    assert finding.clause == "W-3.1"


def test_what_somebody_put_there_by_hand_is_not_the_installers_doing(
    host: FilesHost, files: KataFiles, record: MemoryRecord
) -> None:
    files.remember()
    for at in (1090, 1010):
        host.put(TOML, CONFIGURATION % "edited", at)
        files.tell_overwritten()
    # wget keeps the time of the file that it fetches, as the installer's copy does.
    host.put(INITRD, "the guide's", at=1010, written=7)
    files.tell_overwritten()
    assert record.findings == []


@pytest.mark.parametrize("seen", [b"", b"[]", b'{"at": 1}', b'{"at": 1, "files": [1]}'])
def test_what_another_release_of_the_suite_kept_is_passed_over(
    host: FilesHost, files: KataFiles, record: MemoryRecord, seen: bytes
) -> None:
    host.files[SEEN] = seen
    files.tell_overwritten()
    assert record.findings == []


def test_a_node_without_kata_has_nothing_to_be_overwritten(
    host: FilesHost, files: KataFiles, record: MemoryRecord
) -> None:
    host.files.clear()
    files.remember()
    host.install(at=9000)
    files.tell_overwritten()
    assert record.findings == []


def test_a_file_that_was_replaced_is_told_by_its_clause(host: FilesHost, files: KataFiles) -> None:
    before = files.look()
    assert files.replaced(before) == {}
    host.put(TOML, CONFIGURATION % "other", at=3661)
    del host.files[INITRD]
    assert files.replaced(before) == {
        "W-3.1": "initrd.img is gone",
        "W-3.2": "sev.toml was replaced at 01:01:01 UTC, as the operator's installer does",
    }
