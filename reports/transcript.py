"""The transcript of a run: everything that the lab was asked and answered, one JSON object a line.

The format is described in docs/transcripts.md; whoever compares labs reads nothing else.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from lab.secret import MASK
from reports.evidence import redacted

if TYPE_CHECKING:
    from pathlib import Path

    from lab.record import Exchange
    from lab.secret import Redactor
    from reports.model import ScenarioResult

VERSION: Final = 1
# A text keeps its beginning and its end; a list of objects its first ones; the whole transcript an end.
LONGEST_TEXT: Final = 1 << 14
LONGEST_LIST: Final = 500
LARGEST: Final = 1 << 28

# What a run was never told is a secret may be one by its name, or by its form.
_NAMED: Final = re.compile(
    r"""(?i)((?:password|passwd|_pw|token|symkey|client-key-data|\bauth)["']?\s*[:=]\s*)("[^"\n]*"|[^\s"]\S*)"""
)
_SECRET_FIELD: Final = re.compile(r"(?i)^(password|passwd|token|symkey|auth|client-key-data)$")
_PRIVATE_KEY: Final = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL
)


class TranscriptFile:
    """Writes a transcript; told exchanges by any thread, one at a time."""

    def __init__(
        self, path: Path, redactor: Redactor, *, run: str, lab: dict[str, Any], profile: dict[str, Any]
    ) -> None:
        self._path = path
        self._redactor = redactor
        self._lock = threading.Lock()
        self._file = path.open("w", encoding="utf-8", errors="surrogateescape")
        self._size = 0
        self._full = False
        head = {"transcript": VERSION, "run": run, "began": _now(), "lab": lab, "profile": profile}
        self._append(_clean(head, redactor))

    def write(self, exchange: Exchange, scenario: ScenarioResult | None, step: int | None) -> None:
        """Append an exchange and where in the run it was."""
        line = {
            "time": _now(),
            "protocol": exchange.protocol,
            "scenario": scenario.id if scenario else None,
            "clauses": scenario.clauses if scenario else [],
            "step": step,
            "asked": _decoded(exchange.asked, exchange.protocol),
            "answered": _decoded(exchange.answered, exchange.protocol),
            "seconds": round(exchange.seconds, 3),
        }
        self._append(_clean(line, self._redactor))

    def close(self) -> None:
        """End the transcript. What the run learned to be secret after it was written is masked now."""
        with self._lock:
            if self._file.closed:
                return
            self._file.close()
            masked = self._path.with_suffix(".masked")
            with (
                self._path.open(encoding="utf-8", errors="surrogateescape") as lines,
                masked.open("w", encoding="utf-8", errors="surrogateescape") as clean,
            ):
                for line in lines:
                    clean.write(
                        json.dumps(redacted(json.loads(line), self._redactor), ensure_ascii=False) + "\n"
                    )
            masked.replace(self._path)

    def _append(self, line: Any) -> None:
        text = json.dumps(line, ensure_ascii=False, default=str) + "\n"
        with self._lock:
            if self._file.closed or self._full:
                return
            self._size += len(text)
            if self._size > LARGEST:
                self._full = True
                text = json.dumps({"ended": f"it would exceed {LARGEST} characters"}) + "\n"
            self._file.write(text)
            self._file.flush()


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def _decoded(fields: dict[str, Any], protocol: str) -> dict[str, Any]:
    """`fields` without bytes: the API's become objects where they are JSON, others text where they are."""
    plain: dict[str, Any] = {}
    for name, value in fields.items():
        if not isinstance(value, bytes):
            plain[name] = value
            continue
        plain |= {} if protocol == "kubernetes" else {"size": len(value), "sha256": _digest(value)}
        try:
            text = value.decode()
        except UnicodeDecodeError:
            continue
        if protocol == "kubernetes":
            try:
                plain[name] = json.loads(text)
                continue
            except ValueError:
                pass
        if "\x00" not in text:
            plain[name] = text
    return plain


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _clean(value: Any, redactor: Redactor) -> Any:
    """`value` without secrets, and within bounds; in this order, or a cut could leave half of a secret."""
    match value:
        case str():
            return _cut(_masked(redactor(value)))
        case {"kind": "Secret"}:
            hidden = {"data", "stringData"}
            return {key: MASK if key in hidden else _clean(inner, redactor) for key, inner in value.items()}
        case dict():
            return {
                redactor(str(key)): MASK
                if isinstance(inner, str) and _SECRET_FIELD.match(str(key))
                else _clean(inner, redactor)
                for key, inner in value.items()
            }
        case list() | tuple():
            kept = [_clean(inner, redactor) for inner in value[:LONGEST_LIST]]
            left = len(value) - len(kept)
            return [*kept, f"[… {left} more …]"] if left else kept
    return value


def _masked(text: str) -> str:
    text = _PRIVATE_KEY.sub(MASK, text)
    return _NAMED.sub(lambda found: found[1] + MASK, text)


def _cut(text: str) -> str:
    if len(text) <= LONGEST_TEXT:
        return text
    half = LONGEST_TEXT // 2
    return f"{text[:half]}\n[… {len(text) - 2 * half} characters …]\n{text[-half:]}"
