"""What all pages have in common: templates, two languages, a policy that lets a browser run nothing else."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from reports.languages import both, code, filled
from reports.words import duration, plural

if TYPE_CHECKING:
    from collections.abc import Callable

    from lab.verdict import Verdict
    from reports.ledger import Effect

TEMPLATES: Final = Path(__file__).with_name("templates")


def render(template: str, filters: dict[str, Callable[..., Any]] | None = None, **values: Any) -> str:
    """A page from one of the templates. Whatever `values` hold is shown as text."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "duration": duration,
        "css": css_class,
        "code": code,
        "both": both,
        "filled": filled,
    }
    environment.filters |= filters or {}
    style, script = _own("page.css"), _own("page.js")
    environment.globals |= {
        "plural": plural, "both": both, "style": style, "script": script, "policy": _policy(style, script),
    }  # fmt: skip
    return environment.get_template(template).render(**values)


def css_class(word: Verdict | Effect | None) -> str:
    """A verdict, or what came of an operation, as a class in the style sheet."""
    return str(word or "none").replace(" ", "-")


def _own(name: str) -> Markup:
    """A file of the templates as it is, for the style and the script that a page carries with it."""
    return Markup((TEMPLATES / name).read_text(encoding="utf-8"))  # noqa: S704 - our own file


def _policy(style: str, script: str) -> str:
    """A Content-Security-Policy: this style and this script, and nothing that a run's names bring along."""
    return (
        f"default-src 'none'; style-src {_hash(style)}; script-src {_hash(script)}; "
        "base-uri 'none'; form-action 'none'"
    )


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
