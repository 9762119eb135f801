"""The kinds of value that a lab file or a profile holds, each with the words that say what is allowed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator, Field, Strict, StringConstraints, ValidationInfo
from pydantic_core import PydanticCustomError

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class Allowed:
    """What a mistake's message and the documentation say about a kind of value."""

    words: str


@dataclass(frozen=True)
class Surroundings:
    """What values are checked against: the folder that relative paths start from, and the environment."""

    folder: Path
    environment: Mapping[str, str]


def mistake(found: str, allowed: str | None = None) -> PydanticCustomError:
    """An error whose words are ready for the user; `allowed` when the kind of value does not say it."""
    return PydanticCustomError("mistake", "{found}", {"found": found, "allowed": allowed})


def surroundings(info: ValidationInfo[Any]) -> Surroundings | None:
    """The surroundings given to the validation; None for a model that is built in code."""
    return info.context if isinstance(info.context, Surroundings) else None


def _readable_file(path: Path, info: ValidationInfo[Any]) -> Path:
    around = surroundings(info)
    if around is None:
        return path
    try:
        absolute = around.folder / path.expanduser()
        with absolute.open("rb"):
            return absolute
    except RuntimeError:
        raise mistake("a home folder that does not exist") from None
    except ValueError:
        raise mistake("what cannot be a path") from None
    except FileNotFoundError:
        raise mistake("no file at this path") from None
    except OSError as error:
        raise mistake(f"a file that cannot be read ({error.strerror})") from None


def _variable_that_is_set(name: str, info: ValidationInfo[Any]) -> str:
    around = surroundings(info)
    if around is not None and not around.environment.get(name):
        # A secret pasted here could pass for a name, but hardly for one with an underscore.
        shown = f"{name}, which" if "_" in name else "a variable that"
        raise mistake(f"{shown} is not set or empty")
    return name


Text = Annotated[str, StringConstraints(min_length=1), Allowed("a text that is not empty")]
Texts = Annotated[dict[str, Text], Field(min_length=1), Allowed("a table of texts")]
Sha256 = Annotated[
    str,
    StringConstraints(pattern=r"^[0-9a-f]{64}$"),
    Allowed("a SHA-256 of 64 lower-case hexadecimal digits"),
]
Port = Annotated[int, Field(ge=1, le=65535), Allowed("a port from 1 to 65535")]
Seconds = Annotated[float, Field(gt=0, le=86400), Allowed("seconds, more than 0 and at most 86400")]
Name = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$"),
    Allowed("a name of at most 63 letters, digits, dots, hyphens and underscores"),
]
HostName = Annotated[
    str,
    StringConstraints(min_length=1, max_length=253, pattern=r"^[A-Za-z0-9_.:%\[\]-]+$"),
    Allowed("a host name or an address"),
]
HostPath = Annotated[str, StringConstraints(pattern=r"^/"), Allowed("an absolute path on the host")]
Url = Annotated[str, StringConstraints(pattern=r"^https?://"), Allowed("an http or https URL")]
RunnerFile = Annotated[
    Path,
    Strict(False),
    AfterValidator(_readable_file),
    Allowed("a readable file on the runner, relative to this file"),
]
VariableName = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Z_][A-Z0-9_]*$"),
    AfterValidator(_variable_that_is_set),
    Allowed("the name of an environment variable that is set, in capitals"),
]
