"""Malformed JSON in the database's rows and in the tenant's policy, in serde_json's words.

What is expected here was seen at simple-kbs 0.1.1 itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from simlab.kbs import serde
from tests.simlab.kbs.world import KEYSET, refused

if TYPE_CHECKING:
    from tests.simlab.kbs.world import DatabaseServer, Launcher


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "EOF while parsing a value at line 1 column 0"),
        ("[", "EOF while parsing a list at line 1 column 1"),
        ("]", "expected value at line 1 column 1"),
        ("{}", "invalid type: map, expected a sequence at line 1 column 0"),
        ("[[]]", "invalid type: sequence, expected a string at line 1 column 1"),
        ("[1]", "invalid type: integer `1`, expected a string at line 1 column 2"),
        ('["a",]', "trailing comma at line 1 column 6"),
        ('["a" "b"]', "expected `,` or `]` at line 1 column 6"),
        ('["a","', "EOF while parsing a string at line 1 column 6"),
        ('["a"] x', "trailing characters at line 1 column 7"),
        ('\n\n["a",\n 5]', "invalid type: integer `5`, expected a string at line 4 column 2"),
        ('["é",1]', "invalid type: integer `1`, expected a string at line 1 column 7"),
        ('"a\\""', 'invalid type: string "a\\"", expected a sequence at line 1 column 5'),
        ("1e5", "invalid type: floating point `100000`, expected a sequence at line 1 column 3"),
        ("-0", "invalid type: floating point `-0`, expected a sequence at line 1 column 2"),
        ("1e400", "number out of range at line 1 column 5"),
        ("01", "invalid number at line 1 column 2"),
        ("null", "invalid type: null, expected a sequence at line 1 column 4"),
        ("nulx", "expected ident at line 1 column 4"),
        ("true", "invalid type: boolean `true`, expected a sequence at line 1 column 4"),
        ('["\\x"]', "invalid escape at line 1 column 4"),
        ('["\\ud800"]', "unexpected end of hex escape at line 1 column 9"),
        ('["\\udc00"]', "lone leading surrogate in hex escape at line 1 column 8"),
        (
            '["a\tb"]',
            "control character (\\u0000-\\u001F) found while parsing a string at line 1 column 4",
        ),
    ],
)
def test_lists_of_strings(text: str, message: str) -> None:
    with pytest.raises(serde.JsonError) as error:
        serde.string_list(text)
    assert str(error.value) == message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[1 2]", "expected `,` or `]` at line 1 column 4"),
        ("[-1]", "invalid value: integer `-1`, expected u32 at line 1 column 3"),
        ("[4294967296]", "invalid value: integer `4294967296`, expected u32 at line 1 column 11"),
        ("[1.5]", "invalid type: floating point `1.5`, expected u32 at line 1 column 4"),
        ("[1e]", "invalid number at line 1 column 4"),
        ("[1.]", "invalid number at line 1 column 4"),
        ("[-]", "invalid number at line 1 column 3"),
        ('["a"]', 'invalid type: string "a", expected u32 at line 1 column 4'),
    ],
)
def test_lists_of_numbers(text: str, message: str) -> None:
    with pytest.raises(serde.JsonError) as error:
        serde.number_list(text)
    assert str(error.value) == message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[]", "invalid length 0, expected struct Policy with 5 elements at line 1 column 2"),
        ("[[],[],0,0,[],1]", "trailing characters at line 1 column 15"),
        ("[[],[],0,0", "EOF while parsing a list at line 1 column 10"),
        (
            '{"allowed_digests":[],"allowed_digests":[]}',
            "duplicate field `allowed_digests` at line 1 column 39",
        ),
        ('{"a":1}', "missing field `allowed_digests` at line 1 column 7"),
        ('{"allowed_digests":[],}', "trailing comma at line 1 column 23"),
        ('{"a":{1}}', "key must be a string at line 1 column 7"),
        ('{"a" 1}', "expected `:` at line 1 column 6"),
        ('{"a":[1 2]}', "expected `,` or `]` at line 1 column 9"),
        ("null", "invalid type: null, expected struct Policy at line 1 column 4"),
    ],
)
def test_policies(text: str, message: str) -> None:
    with pytest.raises(serde.JsonError) as error:
        serde.policy_fields(text)
    assert str(error.value) == message


def test_a_policy_may_be_a_list_of_its_fields() -> None:
    assert serde.policy_fields('[["d"],[1],2,3,[4]]')["min_fw_api_minor"] == 3


def test_a_client_reads_what_is_wrong_with_a_keyset(launcher: Launcher, rows: DatabaseServer) -> None:
    rows.execute("UPDATE keysets SET kskeys = '[\"key_id1\",]'")
    with refused("Cannot fulfill secret request: trailing comma at line 1 column 12"):
        launcher.get_secret(KEYSET)
