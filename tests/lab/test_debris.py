from dataclasses import dataclass, field
from typing import Any

from lab.debris import failed_launches, tell_new
from lab.record import MemoryRecord


@dataclass
class Listing:
    lines: list[str]


@dataclass
class TmpHost:
    launches: list[str] = field(default_factory=list)

    def run(self, command: str, *args: str, **_: Any) -> Listing:
        assert args == ("/tmp/sev",)  # noqa: S108
        return Listing(self.launches)


def test_only_what_is_new_is_told() -> None:
    host, record = TmpHost(["old"]), MemoryRecord()
    before = failed_launches(host)  # type: ignore[arg-type]
    tell_new(host, before, record)  # type: ignore[arg-type]
    assert record.findings == []
    host.launches += ["new"]
    tell_new(host, before, record)  # type: ignore[arg-type]
    assert [finding.detail.rpartition(": ")[2] for finding in record.findings] == ["new"]
