"""A host that says what it was told to say: no shell, no connection."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from lab.errors import CommandFailed, NoSuchHostFile
from lab.execution import Result, quoted

if TYPE_CHECKING:
    from collections.abc import Callable

    from lab.host import Host

Answer = str | tuple[int, str]


@dataclass
class SayingHost:
    """`says` has the output of commands, or exit code and stderr; the longest beginning that fits counts.

    `does` has what a command does beside that. A command that nobody prepared is not found.
    """

    says: dict[str, Answer] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    does: dict[str, Callable[[], object]] = field(default_factory=dict)
    commands: list[str] = field(default_factory=list)

    def run(self, command: str, *args: object, check: bool = True, **_: Any) -> Result:
        text = quoted(command, args)
        self.commands.append(text)
        known = [beginning for beginning in {*self.says, *self.does} if text.startswith(beginning)]
        best = max(known, key=len, default=None)
        answer: Answer = (127, "command not found") if best is None else self.says.get(best, "")
        if best in self.does:
            self.does[best]()
        code, said = answer if isinstance(answer, tuple) else (0, answer)
        out, err = ("", said) if isinstance(answer, tuple) else (said, "")
        if check and code:
            raise CommandFailed(text, code, err)
        return Result(text, code, out.encode(), err.encode(), 0.0)

    def now(self) -> datetime:
        return datetime.fromisoformat(self.run("date").stdout.strip())

    def read_file(self, path: str) -> bytes:
        if path not in self.files:
            raise NoSuchHostFile(path)
        return self.files[path]

    def write_file(self, path: str, data: bytes, mode: int = 0o644) -> None:
        self.files[path] = data

    def exists(self, path: str) -> bool:
        return path in self.files

    def remove_torn(self, path: str) -> None: ...

    def make_directory(self, path: str, mode: int = 0o755) -> None: ...

    @property
    def as_host(self) -> Host:
        return self  # type: ignore[return-value]
