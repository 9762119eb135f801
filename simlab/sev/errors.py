"""What can be wrong with a SEV structure."""

from __future__ import annotations


class FormatError(ValueError):
    """The bytes are not the structure that they should be."""


class TruncatedError(FormatError):
    """The bytes end inside of the structure."""

    def __init__(self, what: str) -> None:
        super().__init__(f"{what} is cut short")


class UnknownVersionError(FormatError):
    """The structure's version is not one that exists."""


class WrongFieldError(FormatError):
    """A field holds what it must not hold here: another usage, an unknown algorithm, curve or key size."""


class SignatureError(FormatError):
    """No signature of the certificate was made by the key that should have made it."""
