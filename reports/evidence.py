"""Evidence on its way to a file: told apart by kind, redacted, named."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any, Final

from reports.gherkin import slug
from reports.model import Evidence

if TYPE_CHECKING:
    from pathlib import Path

    from lab.secret import Redactor

TEXT: Final = "text/plain"
JSON: Final = "application/json"
BINARY: Final = "application/octet-stream"
_SUFFIX: Final = {TEXT: ".txt", JSON: ".json", BINARY: ".bin"}
_NAME_LENGTH: Final = 80  # with a scenario's folder well below the 255 bytes of a file name, also in Chinese


class EvidenceStore:
    """Writes evidence below a run's folder; one folder per scenario, files numbered in their order."""

    def __init__(self, run: Path, redactor: Redactor) -> None:
        self._run = run
        self._redactor = redactor
        self._made: set[str] = set()

    def keep(
        self, folder: str, number: int, name: str, body: str | bytes | dict[str, Any] | list[Any]
    ) -> tuple[Evidence, bytes]:
        """Write `body`; returns its entry in the results (without its step) and what was written."""
        name = self._redactor(name)
        media_type, data = redacted_bytes(body, self._redactor)
        place = f"evidence/{_folder(folder)}"
        if place not in self._made:
            (self._run / place).mkdir(parents=True, exist_ok=True)
            self._made.add(place)
        file = f"{place}/{number:03}-{slug(name)[:_NAME_LENGTH]}{_SUFFIX[media_type]}"
        (self._run / file).write_bytes(data)
        return Evidence(name=name, file=file, media_type=media_type, size=len(data)), data


def _folder(name: str) -> str:
    """The folder of what a name is about; two long names that differ at their end only have two."""
    whole = slug(name)
    if len(whole) <= _NAME_LENGTH:
        return whole
    return f"{whole[: _NAME_LENGTH - 9]}-{hashlib.sha256(whole.encode()).hexdigest()[:8]}"


def redacted_bytes(body: str | bytes | dict[str, Any] | list[Any], redactor: Redactor) -> tuple[str, bytes]:
    """The media type of `body` and its redacted bytes.

    Objects are redacted string by string before they become JSON, whose escapes could hide a secret. Bytes
    that are no UTF-8 are redacted as well: `surrogateescape` keeps what it cannot decode.
    """
    if isinstance(body, str):
        return TEXT, redactor(body).encode("utf-8", "surrogateescape")
    if isinstance(body, bytes):
        data = redactor(body.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")
        return (TEXT if _is_text(data) else BINARY), data
    text = json.dumps(redacted(body, redactor), indent=2, ensure_ascii=False, default=str)
    return JSON, redactor(text).encode("utf-8", "surrogateescape")


def redacted(value: Any, redactor: Redactor) -> Any:
    """`value` with every string in it redacted, the keys of its objects too."""
    match value:
        case str():
            return redactor(value)
        case dict():
            return {redactor(str(key)): redacted(inner, redactor) for key, inner in value.items()}
        case list() | tuple():
            return [redacted(inner, redactor) for inner in value]
    return value


def _is_text(data: bytes) -> bool:
    """Whether `data` is UTF-8 without control characters that no text has."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return False
    return "\x00" not in text
