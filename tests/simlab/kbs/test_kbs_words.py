"""What simple-kbs' libraries accept and say: base64 0.13, uuid 1.1.2, Rust's own printing."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simlab.kbs import rust, strict_base64, uuids
from simlab.kbs.secrets import bincode_map

if TYPE_CHECKING:
    import uuid


@given(st.binary(max_size=100))
def test_base64_there_and_back(data: bytes) -> None:
    text = strict_base64.encode(data)
    assert strict_base64.decode(text) == data
    assert strict_base64.decode(text.rstrip("=")) == data


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("A", "Encoded text cannot have a 6-bit remainder."),
        ("=", "Encoded text cannot have a 6-bit remainder."),
        ("AAAAA", "Encoded text cannot have a 6-bit remainder."),
        ("AAAA\n", "Invalid byte 10, offset 4."),
        ("AA-A", "Invalid byte 45, offset 2."),
        ("é", "Invalid byte 195, offset 0."),
        ("====", "Invalid byte 61, offset 0."),
        ("A===", "Invalid byte 61, offset 1."),
        ("AA=A", "Invalid byte 61, offset 2."),
        ("AA==AAAA", "Invalid byte 61, offset 2."),
        ("AAA=AAAAAAAAAAAA", "Invalid byte 61, offset 3."),
        ("AA======", "Invalid byte 61, offset 2."),
        ("AB==", "Invalid last symbol 66, offset 1."),
        ("AAB", "Invalid last symbol 66, offset 2."),
    ],
)
def test_base64_refusals(text: str, message: str) -> None:
    with pytest.raises(strict_base64.Base64Error) as caught:
        strict_base64.decode(text)
    assert str(caught.value) == message


@given(st.text(alphabet="Ab1+/=-\n", max_size=12))
def test_base64_is_no_laxer_than_the_strictest_python(text: str) -> None:
    try:
        data = strict_base64.decode(text)
    except strict_base64.Base64Error:
        return
    assert base64.b64encode(data).decode().rstrip("=") == text.rstrip("=")


@given(st.uuids())
def test_uuids_in_every_shape(value: uuid.UUID) -> None:
    for shape in (str(value), value.hex, value.hex.upper(), f"{{{value}}}", value.urn):
        assert uuids.parse(shape) == value


@pytest.mark.parametrize(
    "text",
    [
        "{" + "0" * 32 + "}",
        "urn:uuid:" + "0" * 32,
        "0" * 31,
        " " + "0" * 32,
        "٠" * 32,
        "0" * 8 + "-" + "0" * 27,
    ],
)
def test_shapes_that_python_would_take(text: str) -> None:
    with pytest.raises(uuids.UuidError):
        uuids.parse(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("é", "found `é` at 1"),
        ("0-é", "found `é` at 3"),
        ("{zz}", "found `z` at 2"),
        ("urn:uuid:z", "found `z` at 10"),
        ("{00}", "invalid group count: expected 5, found 1"),
        ("{" + "00000000-0000-0000-0000-00000000000" + "}", "in group 4: expected 12, found 13"),
    ],
)
def test_uuid_refusals(text: str, message: str) -> None:
    with pytest.raises(uuids.UuidError) as caught:
        uuids.parse(text)
    assert str(caught.value).endswith(message)


def test_debug_strings() -> None:
    assert rust.debug("a\"b\\c\n\t\0é'\x7f\x1b") == '"a\\"b\\\\c\\n\\t\\0é\'\\u{7f}\\u{1b}"'


def test_bincode() -> None:
    assert bincode_map({}) == bytes(8)
    assert bincode_map({"ab": b"c"}).hex() == "010000000000000002000000000000006162010000000000000063"
