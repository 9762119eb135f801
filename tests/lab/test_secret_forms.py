"""No encoding of a secret gets through the redactor, whatever stands around it."""

from __future__ import annotations

import base64
import html
import json
import shlex
import urllib.parse
from typing import TYPE_CHECKING, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.secret import MASK, Redactor, Secret

if TYPE_CHECKING:
    from collections.abc import Callable

ENCODINGS: Final[dict[str, Callable[[str], str]]] = {
    "plain": str,
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "base64, for URLs, without padding": lambda text: (
        base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")
    ),
    "hex": lambda text: text.encode().hex(),
    "HEX": lambda text: text.encode().hex().upper(),
    "URL": lambda text: urllib.parse.quote(text, safe=""),
    "URL of a form": urllib.parse.quote_plus,
    "shell": shlex.quote,
    "JSON": json.dumps,
    "Python": repr,
    "HTML": html.escape,
}
PASSWORDS: Final = ("kbspassword", 'correct "horse" staple', "p@$$ w'rd/+&<ü>", "tab\tand\\back")


def redactor(secret: str) -> Redactor:
    made = Redactor()
    made.learn(Secret(secret))
    return made


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("password", PASSWORDS)
def test_no_encoding_gets_through(password: str, encoding: str) -> None:
    shown = ENCODINGS[encoding](password)
    assert redactor(password)(f"a {shown} b").count(MASK) == 1
    assert shown not in redactor(password)(f"a {shown} b")


@pytest.mark.parametrize("password", PASSWORDS)
@given(before=st.binary(max_size=7), after=st.binary(max_size=7))
def test_base64_of_a_text_with_a_secret_in_it_shows_none_of_it(
    password: str, before: bytes, after: bytes
) -> None:
    secret = password.encode()
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        whole = encode(before + secret + after).decode()
        left = redactor(password)(whole)
        assert MASK in left
        # What stays are the characters at the border, which the neighbours have a part in.
        assert len(left.replace(MASK, "")) <= -(-(len(before) + len(after)) * 8 // 6) + 6


def test_each_line_of_a_private_key_is_a_secret() -> None:
    lines = [base64.b64encode(bytes([number]) * 48).decode() for number in range(3)]
    key = "-----BEGIN PRIVATE KEY-----\n" + "\n".join(lines) + "\n-----END PRIVATE KEY-----\n"
    assert lines[1] not in redactor(key)(f"line 3: {lines[1]}")


def test_innocent_text_stays() -> None:
    text = "kbs password kb s cGFzcw== 6b6273 user:kbspasswor"
    assert redactor("kbspassword")(text) == text
    assert redactor("abc")("abc") == "abc"
