"""What differs between two runs though nothing is different: each kind by a rule with a name.

A value is replaced by its rule's name, and numbered within one exchange in the order of their occurrence:
where two labs use one uid in two places, both read ⟨uid 1⟩ twice, and a lab that mixes two up reads ⟨uid 2⟩.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from simlab.compare.transcript import Transcript

# Fields of Kubernetes objects that say when and in which order, and never what.
_FIELDS: Final = frozenset(
    {"resourceVersion", "managedFields", "modified", "continue", "remainingItemCount", "selfLink"}
)
_MONTH: Final = "(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
# Kubernetes makes up names of these letters (apimachinery, pkg/util/rand).
_RANDOM: Final = "[bcdfghjklmnpqrstvwxz2456789]"

# Two of these are never the same on purpose.
_MEASURED: Final = frozenset({"time", "duration", "amount", "size", "port", "pid", "certificate"})
# What a transcript shows of a byte that no text has.
_NO_TEXT: Final = r"\x00"
# docker, pkg/namesgenerator: an adjective and a surname.
_DOCKER_NAME: Final = re.compile(r"(?m)(?<![\w.-])[a-z]+_[a-z]+(?![\w-])")

# In this order: what an earlier rule took is no longer there for a later one.
RULES: Final = tuple(
    (name, re.compile(pattern))
    for name, pattern in (
        ("certificate", r"-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----"),
        ("size", r'(?<=Content-Length: )\d+|(?<=Etag: ")[^"]+'),
        ("uid", r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b"),
        ("time", r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?(?: ?Z|[+-]\d\d:?\d\d| UTC)?\b"),
        ("time", rf"\b{_MONTH} [ \d]\d \d\d:\d\d:\d\d(?: \d{{4}})?"),
        ("time", rf"\b\w{{3}}, \d\d {_MONTH} \d{{4}} \d\d:\d\d:\d\d GMT"),
        ("time", r"\b1[6-9]\d{8}(?:\.\d+)?\b"),
        ("time", r"\[ *\d+\.\d{6}\]"),
        ("digest", r"\bsha256:[0-9a-f]{64}\b"),
        ("digest", r"(?<![A-Za-z0-9+/])[A-Za-z0-9+/]{43}=(?!=)"),
        ("base64", r"(?<![A-Za-z0-9+/])[A-Za-z0-9+/]{64,}={0,2}"),
        ("temporary", r"(?<=/tmp/tmp\.)\w{10}\b"),
        ("hex", r"\b(?=[a-f]*\d)[0-9a-f]{6,128}\b"),
        ("address", r"\b(?!127\.0\.0\.1\b|0\.0\.0\.0\b|8\.8\.8\.8\b)(?:\d{1,3}\.){3}\d{1,3}\b(?![-.\w])"),
        ("address", r"\b(?:[0-9a-f]{2}:){5}[0-9a-f]{2}\b"),
        ("port", r"(?<=:)(?!44444\b)[3-6]\d{4}\b|(?m:^[3-6]\d{4}$)"),
        ("duration", r"\b(?:\d+h)?(?:\d+m)?\d+(?:\.\d+)?(?:ms|s)\b"),
        ("duration", r"(?i)\b(?:about |less than )?(?:an?|\d+) (?:second|minute|hour|day|week)s?\b"),
        ("amount", r"\b\d+(?:\.\d+)? ?(?:kB|Ki|KiB|Mi|MiB|Gi|GiB)\b"),
        ("pid", r"(?i)(?<=pid[=: ])\d+\b|(?<=/proc/)\d+\b|(?<=kill -USR1 )\d+\b|(?<=worker' \()\d+"),
        ("random", rf"(?<=-)(?:{_RANDOM}{{8,10}}-)?{_RANDOM}{{5}}\b"),
    )
)


@dataclass
class Names:
    """The names of one exchange's volatile values. `docker` makes up names for containers (docker ps)."""

    docker: bool = False
    given: dict[tuple[str, str], str] = field(default_factory=dict)

    def of_match(self, rule: str, found: re.Match[str]) -> str:
        """The name of the value that a rule found; the same for the same value."""
        value = found[0]
        if rule in _MEASURED:
            return f"⟨{rule}⟩"
        number = 1 + sum(known == rule for known, _ in self.given)
        return self.given.setdefault((rule, value), f"⟨{rule} {number}⟩")


class Steady:
    """Makes what one lab said comparable with what another one said."""

    def __init__(self, transcript: Transcript) -> None:
        own = {transcript.head["run"]: "run", transcript.head["run"].rpartition("-")[2]: "run"}
        own |= dict.fromkeys(_host_names(transcript), "host")
        self._own = {name: rule for name, rule in own.items() if name not in {"", "localhost", "127.0.0.1"}}
        longest_first = sorted(self._own, key=len, reverse=True)
        self._pattern = re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, longest_first))})(?!\w)")

    def __call__(self, value: Any, names: Names) -> Any:
        """`value` with its volatile parts named."""
        match value:
            case str():
                return self._text(value, names)
            case dict():
                return {
                    self._text(str(key), names): f"⟨{key}⟩" if key in _FIELDS else self(inner, names)
                    for key, inner in value.items()
                }
            case list():
                return [self(inner, names) for inner in value]
        return value

    def _text(self, text: str, names: Names) -> str:
        if _NO_TEXT in text:
            return "⟨bytes⟩"
        text = self._pattern.sub(lambda found: f"⟨{self._own[found[0]]}⟩", text)
        for rule, pattern in RULES:
            text = pattern.sub(partial(names.of_match, rule), text)
        if names.docker:
            text = _DOCKER_NAME.sub(partial(names.of_match, "container"), text)
        return text


def _host_names(transcript: Transcript) -> Iterable[str]:
    """What the lab file and the cluster call the host."""
    ssh = transcript.head["lab"].get("ssh") or {}
    yield str(ssh.get("host") or "")
    for exchange in transcript.exchanges:
        body = exchange.answered.get("body")
        for item in [body, *(body.get("items") or [])] if isinstance(body, dict) else []:
            if isinstance(item, dict) and exchange.asked.get("path", "").startswith("/api/v1/nodes"):
                yield str((item.get("metadata") or {}).get("name") or "")
