"""Where the KBS is and who gets into its database: each finding from its cause, and none without."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from lab import exposure
from lab.errors import Unreachable
from lab.labfile import Database
from lab.record import MemoryRecord

if TYPE_CHECKING:
    from lab.secret import Secret

LOCAL = "local 10.0.0.1 dev lo src 10.0.0.1 uid 0\n"
ELSEWHERE = "10.0.0.9 via 10.0.0.254 dev eth0 src 10.0.0.1 uid 0\n"


@dataclass
class RoutingHost:
    route: str
    open_channel: None = None

    def run(self, command: str, *args: object, **_: Any) -> SimpleNamespace:
        if command.startswith("getent"):
            return SimpleNamespace(lines=[str(args[0])])
        assert command.startswith("ip -o route get")
        return SimpleNamespace(stdout=self.route)


@dataclass
class Accounts:
    """Stands for the database's own accounts."""

    passwords: dict[str, str]
    tried: list[str] = field(default_factory=list)

    def __call__(self, settings: Database, _address: str, password: Secret, *_: Any) -> SimpleNamespace:
        def execute(*_: Any) -> None:
            self.tried.append(settings.user)
            if self.passwords.get(settings.user) != password.reveal():
                raise Unreachable("database", "access denied")

        return SimpleNamespace(execute=execute, close=lambda: None)


def told(
    monkeypatch: pytest.MonkeyPatch, route: str, accounts: Accounts, host: str | None = None
) -> list[str]:
    monkeypatch.setattr(exposure, "Session", accounts)
    settings = Database(password={"env": "P"}, host=host)  # type: ignore[arg-type]
    lab = SimpleNamespace(kbs=SimpleNamespace(database=settings), timeouts=SimpleNamespace(connect=1.0))
    broker = SimpleNamespace(guest_address="10.0.0.1:44444", database_address="172.18.0.2")
    record = MemoryRecord()
    exposure.tell(cast("Any", lab), cast("Any", RoutingHost(route)), cast("Any", broker), record)
    for finding in record.findings:
        assert finding.meaning
        assert finding.remedy
        assert "kbspassword" not in f"{finding}"
    return [finding.title for finding in record.findings]


def test_a_kbs_at_an_address_of_the_host_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    strict = Accounts({"kbsuser": "another", "root": "another"})
    assert told(monkeypatch, LOCAL, strict) == ["The KBS runs on the host under test"]
    assert told(monkeypatch, ELSEWHERE, strict) == []


@pytest.mark.parametrize("open_to", ["kbsuser", "root"])
def test_a_published_password_that_is_taken_is_told(monkeypatch: pytest.MonkeyPatch, open_to: str) -> None:
    accounts = Accounts({open_to: exposure.PUBLISHED[open_to]})
    assert told(monkeypatch, ELSEWHERE, accounts) == ["The KBS's database takes a password that is published"]


def test_root_of_a_database_elsewhere_is_not_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    accounts = Accounts({"root": exposure.PUBLISHED["root"]})
    assert told(monkeypatch, ELSEWHERE, accounts, host="db.example") == []
    assert accounts.tried == ["kbsuser"]
