"""The part of Go's text/template that scripts use with `docker --format`."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any, Final

_ACTION: Final = re.compile(r"\{\{-?\s*(.*?)\s*-?\}\}", re.DOTALL)
_ESCAPES: Final = {r"\t": "\t", r"\n": "\n"}


class TemplateError(Exception):
    """A template that is wrong, or asks for more than this."""


@dataclass
class _Block:
    """`range X` or `if X`, and what stands up to its `end`."""

    kind: str
    operand: str
    parts: list[str | _Block] = field(default_factory=list)


def render(template: str, data: Any) -> str:
    """Fill a template. Raises TemplateError."""
    for escaped, character in _ESCAPES.items():
        template = template.replace(escaped, character)
    return _fill(_parse(template), data)


def _parse(template: str) -> list[str | _Block]:
    """Return texts, actions (each beginning with NUL, to tell them from texts) and blocks."""
    stack = [_Block("", "")]
    position = 0
    for action in _ACTION.finditer(template):
        stack[-1].parts.append(template[position : action.start()])
        position = action.end()
        kind, _, operand = action[1].partition(" ")
        if kind in ("range", "if"):
            block = _Block(kind, operand.strip())
            stack[-1].parts.append(block)
            stack.append(block)
        elif action[1] == "end":
            if len(stack) == 1:
                raise TemplateError("unexpected {{end}}")
            stack.pop()
        else:
            stack[-1].parts.append(f"\0{action[1]}")
    if len(stack) > 1:
        raise TemplateError("unexpected EOF")
    stack[0].parts.append(template[position:])
    return stack[0].parts


def _fill(parts: list[str | _Block], data: Any) -> str:
    out = []
    for part in parts:
        if isinstance(part, _Block):
            value = _value(part.operand, data)
            if part.kind == "range":
                items = value.values() if isinstance(value, dict) else value or []
                out += [_fill(part.parts, item) for item in items]
            elif value:
                out.append(_fill(part.parts, data))
        elif part.startswith("\0"):
            out.append(_text(_value(part[1:], data)))
        else:
            out.append(part)
    return "".join(out)


def _value(expression: str, data: Any) -> Any:
    verb, _, operand = expression.partition(" ")
    if verb == "json":
        return json.dumps(_value(operand.strip(), data), separators=(",", ":"))
    if verb == "index":
        subject, *keys = re.findall(r'"[^"]*"|\S+', operand)
        value = _value(subject, data)
        for key in keys:
            value = value[json.loads(key)]
        return value
    if not expression.startswith(".") or " " in expression:
        raise TemplateError(f"the simulated docker does not know {{{{{expression}}}}}")
    value = data
    for name in filter(None, expression.split(".")):
        if not isinstance(value, dict) or name not in value:
            raise TemplateError(f'map has no entry for key "{name}"')
        value = value[name]
    return value


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return f"[{' '.join(_text(item) for item in value)}]"
    if isinstance(value, dict):
        return f"map[{' '.join(f'{key}:{_text(item)}' for key, item in sorted(value.items()))}]"
    return "<no value>" if value is None else str(value)
