"""Reads lab files and profiles, and resolves the secrets that they name.

A file is refused with all of its mistakes at once (`LabFileErrors`), before anything is touched.
"""

from __future__ import annotations

import os
import re
import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, ValidationError

from lab.errors import LabError
from lab.labfile import LabFile, SecretSource
from lab.mistakes import Mistake, describe, nearest, spell
from lab.positions import Positions
from lab.profile import Profile
from lab.secret import Secret
from lab.values import Surroundings

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from lab.positions import KeyPath

Schema = TypeVar("Schema", bound=BaseModel)


class LabFileErrors(LabError):  # noqa: N818 - it holds all of a file's errors
    """The mistakes of a lab file and its profile; the message has a line for each, in the order of lines."""

    def __init__(self, mistakes: list[Mistake]) -> None:
        self.mistakes = sorted(mistakes)
        super().__init__("\n".join(str(mistake) for mistake in self.mistakes))


@dataclass(frozen=True)
class _Document:
    """A TOML file as read: what it holds, and where."""

    file: str
    data: dict[str, Any]
    positions: Positions

    def mistake(self, path: KeyPath, found: str, allowed: str) -> Mistake:
        return Mistake(self.file, self.positions.line(path), spell(path), found, allowed)


def load_lab(
    path: Path, profiles: Path, environment: Mapping[str, str] | None = None
) -> tuple[LabFile, Profile]:
    """The lab file at `path` with absolute paths, and the profile in the folder `profiles` that it names.

    `environment` is the process's own when not given. Raises `LabFileErrors` with every mistake of both.
    """
    document = _read(path)
    surroundings = Surroundings(path.absolute().parent, os.environ if environment is None else environment)
    mistakes: list[Mistake] = []
    lab = _check(document, LabFile, mistakes, surroundings)
    profile = _profile(document, profiles, mistakes)
    if lab is None or profile is None:
        raise LabFileErrors(mistakes)
    return lab, profile


def load_profile(path: Path) -> Profile:
    """The profile at `path`. Raises `LabFileErrors` with every mistake of it."""
    mistakes: list[Mistake] = []
    profile = _check(_read(path), Profile, mistakes)
    if profile is None:
        raise LabFileErrors(mistakes)
    return profile


def resolve(source: SecretSource) -> Secret:
    """The secret that `source` names. Raises `LabError`, which names the source and not the secret."""
    if source.file is None:
        where, value = f"environment variable {source.env}", os.environ.get(source.env or "", "")
    else:
        where = f"file {source.file}"
        try:
            value = source.file.read_text(encoding="utf-8").partition("\n")[0].rstrip("\r")
        except (OSError, UnicodeDecodeError) as error:
            raise LabError(f"secret: {where} cannot be read ({type(error).__name__})") from None
    if not value:
        raise LabError(f"secret: {where} is empty")
    return Secret(value)


def _profile(document: _Document, profiles: Path, mistakes: list[Mistake]) -> Profile | None:
    name = document.data.get("profile")
    if not isinstance(name, str) or any(mistake.path == "profile" for mistake in mistakes):
        return None
    file = profiles / f"{name}.toml"
    if file.is_file():
        try:
            return load_profile(file)
        except LabFileErrors as errors:
            mistakes += errors.mistakes
            return None
    known = sorted(each.stem for each in profiles.glob("*.toml"))
    meant = nearest(name, known)
    hint = f" (did you mean {meant}?)" if meant else ""
    found = f'"{name}", which is no profile in {profiles}{hint}'
    mistakes.append(
        document.mistake(("profile",), found, " or ".join(known) or "none, as there are no profiles")
    )
    return None


def _read(path: Path) -> _Document:
    """The document at `path`. Raises `LabFileErrors` if it cannot be read or is not TOML."""
    try:
        # tomllib counts lines after the same normalisation (TOML 1.0.0, "Newline").
        text = path.read_bytes().decode("utf-8").replace("\r\n", "\n")
        data = tomllib.loads(text)
        return _Document(str(path), data, Positions(text))
    except tomllib.TOMLDecodeError as error:
        words, line = _syntax(str(error), text)
        raise LabFileErrors([Mistake(str(path), line, "TOML", words, "TOML 1.0")]) from None
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise LabFileErrors([Mistake(str(path), line, "TOML", "bytes that are not UTF-8", "UTF-8")]) from None
    except RecursionError:
        raise LabFileErrors(
            [Mistake(str(path), 1, "TOML", "tables nested too deep", "a few levels")]
        ) from None
    except OSError as error:
        meant = nearest(path.name, (each.name for each in path.parent.glob("*.toml")))
        hint = (
            f" (did you mean {path.parent / meant}?)"
            if meant and isinstance(error, FileNotFoundError)
            else ""
        )
        found = f"a file that cannot be read: {error.strerror}{hint}"
        raise LabFileErrors([Mistake(str(path), 1, "file", found, "a readable TOML file")]) from None


def _syntax(message: str, text: str) -> tuple[str, int]:
    """Tomllib's message without its position, and the line that it names."""
    words, _, position = message.rpartition(" (at ")
    if match := re.match(r"line (\d+), column (\d+)", position):
        return f"at column {match[2]}: {words[:1].lower()}{words[1:]}", int(match[1])
    return f"at the end: {words[:1].lower()}{words[1:]}", text.count("\n") + 1


def _check(
    document: _Document,
    schema: type[Schema],
    mistakes: list[Mistake],
    surroundings: Surroundings | None = None,
) -> Schema | None:
    try:
        return schema.model_validate(document.data, context=surroundings)
    except ValidationError as error:
        details = error.errors(include_url=False, include_input=False)
        mistakes += describe(details, document.file, schema, document.data, document.positions)
        return None
