"""What is not in a lab as it was: versions, platform, settings, and what provisioning had to change."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from reports.comparison.model import Difference
from reports.ledger import Effect, effect, entries

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from reports.model import Results

# How a lab is reached, and where its secrets are, is not what it is. A simulated lab has another port and
# other temporary files each time.
_NOT_THE_LAB: Final = frozenset({"ssh", "password", "kubeconfig", "local_kubeconfig"})
_ROOT: Final = "platform.root"
# From so many words on (a kernel command line), only those that differ are worth reading.
_MANY_WORDS: Final = 8
_LASTING: Final = {Effect.CHANGED: "changed", Effect.FAILED: "failed", Effect.WOULD_CHANGE: "would change"}


def differences(old: Results, new: Results) -> Iterator[Difference]:
    """Everything, the likeliest causes of another verdict first."""
    yield from _of("versions", old.versions, new.versions)
    yield from _of("platform", _platform(old), _platform(new))
    yield from _of("lab file", _lab(old), _lab(new))
    yield from _of("profile", flat(old.profile), flat(new.profile))
    yield from _of("operations", _operations(old), _operations(new))
    yield from _of("run", _run(old), _run(new))
    suites = [_suite(old), _suite(new)]
    if all(suites):
        yield from _of("suite", *suites)


def flat(settings: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Settings by their dotted names; what is not set is left out."""
    found: dict[str, str] = {}
    for key, value in settings.items():
        name = f"{prefix}{key}"
        if isinstance(value, dict):
            found |= flat(value, f"{name}.")
        elif isinstance(value, list) and any(isinstance(each, dict) for each in value):
            found |= flat({str(place): each for place, each in enumerate(value)}, f"{name}.")
        elif value is not None:
            found[name] = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return found


def _of(kind: str, old: Mapping[str, str], new: Mapping[str, str]) -> Iterator[Difference]:
    for name in {**old, **new}:
        was, now = old.get(name), new.get(name)
        if was != now:
            yield Difference(kind=kind, name=name, old=was, new=now, **_words(was, now))


def _words(old: str | None, new: str | None) -> dict[str, list[str]]:
    """The words that only one of two long values has: of a kernel command line, its parameters."""
    was, now = (old or "").split(), (new or "").split()
    if min(len(was), len(now)) < _MANY_WORDS:
        return {}
    more, less = Counter(now) - Counter(was), Counter(was) - Counter(now)
    return {"added": list(more.elements()), "removed": list(less.elements())}


def _lab(results: Results) -> dict[str, str]:
    return {
        name: ("AMD's" if value == "amd" else "the lab's own") if name == _ROOT else value
        for name, value in flat(results.lab).items()
        if _NOT_THE_LAB.isdisjoint(name.split("."))
    }


def _platform(results: Results) -> dict[str, str]:
    """Which chips it ran on, and the roots that their chains end in."""
    chips = {each.cek: each.ark for each in results.session.platforms}
    if not chips:
        return {}
    return {
        "chip (SHA-256 of the CEK)": ", ".join(sorted(chips)),
        "root (SHA-256 of the ARK)": ", ".join(sorted(set(chips.values()))),
    }


def _operations(results: Results) -> dict[str, str]:
    """What provisioning changed, or could not: that a lab had to be put right says that it had drifted."""
    found: dict[str, str] = {}
    for entry in entries(results):
        word = _LASTING.get(effect(entry.operation))
        if word:
            operation = entry.operation
            told = operation.failed or f"{operation.before} → {operation.after}"
            found.setdefault(operation.name, f"{word}: {told}")
    return found


def _run(results: Results) -> dict[str, str]:
    return {"arguments": " ".join(results.run.arguments)}


def _suite(results: Results) -> dict[str, str]:
    """What ran; nothing of a run that does not say (its suite is older than that)."""
    suite = results.suite
    if not suite.python:
        return {}
    commit = {"commit": suite.commit or "unknown", "changed files": str(suite.dirty)}
    return commit | {"python": suite.python} | dict(suite.packages)
