"""Secrets, and keeping them out of everything that is written."""

from __future__ import annotations

import re
from typing import Final

from lab.secret_forms import forms

MASK: Final = "[secret]"

# Shorter values would blank out innocent text.
SHORTEST: Final = 4


class Secret:
    """A value that shows itself only where it is asked to, by `reveal`."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The value itself, for the one call that needs it."""
        return self._value

    def __repr__(self) -> str:
        return MASK

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)


class Redactor:
    """Replaces every secret of a run, in any encoding that a log could show it in, by a mask."""

    def __init__(self) -> None:
        self._forms: set[str] = set()
        self._pattern: re.Pattern[str] | None = None

    def learn(self, secret: Secret) -> None:
        """Mask this secret from now on, in every form that `lab.secret_forms` knows."""
        value = secret.reveal()
        if len(value) < SHORTEST:
            return
        self._forms |= forms(value)
        longest_first = sorted(self._forms, key=len, reverse=True)
        self._pattern = re.compile("|".join(re.escape(form) for form in longest_first))

    def __call__(self, text: str) -> str:
        """`text` with every known secret masked."""
        return self._pattern.sub(MASK, text) if self._pattern else text
