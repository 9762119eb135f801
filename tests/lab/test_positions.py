from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.positions import Positions

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lab.positions import KeyPath


def scalars(value: Any, path: KeyPath = ()) -> Iterator[tuple[KeyPath, Any]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from scalars(inner, (*path, key))
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from scalars(inner, (*path, number))
    else:
        yield path, value


NASTY = '''\
# [not.a.table] and not.a.key = 1
"quoted key" = "L2" # " ] }
'literal.key' = 'L3'
"escaped \\u0041 \\"" = "L4 \\" \\\\"
dotted . "in two" . parts = "L5"
multi = """L6
[not.a.table]
not_a_key = "x" \\
\\"""   # no comment
"""""
after_multi = "L11"
raw = \'\'\'L12
[[not.an.array]]
it''s \\'\'\'\'\'
numbers = [ # comment ]
  "L16", # , ]
  [
    "L18" , [ "L18"], [],
  ],

  { a.b = "L21", c = [ "L21", """L21
""" ] },
]
empty = []
inline = { a = "L25", b.c = "L25", "d" = { e = 'L25' } }

[  table . "a.b"  ] # comment
x = "L28"
[table."a.b".inner]
x = "L30"
[[list]]
x = "L32"
[list.inner]
x = "L34"
[[list.inner.list]]
x = "L36"
[[list.inner.list]]
x = "L38"
[[list]]
x="L40"
inner.x="L41"
inner.date = 1979-05-27 07:32:00 # "
inner.y = "L43"
[late]
x = "L45"'''


def test_every_value_of_a_nasty_file_has_its_line() -> None:
    positions = Positions(NASTY)
    found = [(path, value, positions.line(path)) for path, value in scalars(tomllib.loads(NASTY))]
    marked = [(path, value, line) for path, value, line in found if isinstance(value, str)]
    assert len(marked) == NASTY.count('"L') + NASTY.count("'L")
    for path, value, line in marked:
        assert value[1:].split()[0] == str(line), path


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("table",), 27),
        (("table", "a.b"), 27),
        (("table", "a.b", "inner"), 29),
        (("list",), 31),
        (("list", 0), 31),
        (("list", 0, "inner", "list", 1), 37),
        (("list", 1), 39),
        (("numbers", 2, "c"), 21),
        (("late",), 44),
    ],
)
def test_tables_have_the_line_of_their_header(path: KeyPath, line: int) -> None:
    assert Positions(NASTY).line(path) == line


def test_what_is_missing_has_the_line_of_the_table_around_it() -> None:
    positions = Positions("a = 1\n\n[b]\nc = 2\n")
    assert positions.line(("b", "missing")) == 3
    assert positions.line(("missing", "inner")) == 1


def test_a_table_s_own_header_wins_over_the_header_of_a_table_in_it() -> None:
    assert Positions("[a.b]\n\n[a]\n").line(("a",)) == 3


keys = st.text(min_size=1, max_size=6)
spaces = st.sampled_from(["", " ", "\t", "  "])
breaks = st.sampled_from(["", "\n", "# ]}'\"\n", "\n\n"])


def quoted(text: str) -> str:
    escaped = "".join(
        f"\\u{ord(letter):04x}" if ord(letter) < 0x10000 else f"\\U{ord(letter):08x}" for letter in text
    )
    return f'"{escaped}"'


@st.composite
def documents(draw: st.DrawFn) -> str:
    """Valid TOML whose every string ends in the number of the line on which it begins."""
    text = ""

    def put(piece: str) -> None:
        nonlocal text
        text += piece

    def value(depth: int) -> None:
        here = text.count("\n") + 1
        kind = draw(
            st.sampled_from(["basic", "literal", "multi", "raw"] + (["list", "table"] if depth else []))
        )
        if kind == "list":
            put("[")
            for _ in range(draw(st.integers(0, 3))):
                put(draw(breaks))
                value(depth - 1)
                put(draw(spaces) + draw(breaks) + ",")
            put(draw(breaks) + "]")
        elif kind == "table":
            put("{")
            for number, key in enumerate(draw(st.lists(keys, max_size=3, unique=True))):
                put(("," if number else "") + draw(spaces) + quoted(key) + draw(spaces) + "=" + draw(spaces))
                value(depth - 1)
            put("}")
        else:
            open_, body, close = {
                "basic": ('"', '\\" [x] # ', '"'),
                "literal": ("'", '" = { ', "'"),
                "multi": ('"""', '\n[x]\n""\\"""\\\\', '"""'),
                "raw": ("'''", "\n[[x]]\n''\\", "'''"),
            }[kind]
            put(f"{open_}{here} {body}{close}")

    for header in draw(st.lists(st.tuples(st.booleans(), keys), max_size=4, unique_by=lambda item: item[1])):
        is_array, name = header
        for _ in range(draw(st.integers(1, 2)) if is_array else 1):
            put(f"[[{quoted(name)}]]" if is_array else f"[ {quoted(name)}\t]")
            put(draw(spaces) + "\n" + draw(breaks))
            for key in draw(st.lists(keys, max_size=3, unique=True)):
                put(draw(spaces) + quoted(key) + " . inner = ")
                value(2)
                put("\n")
    return text


@given(documents())
def test_every_value_of_any_file_has_its_line(text: str) -> None:
    positions = Positions(text)
    for path, value in scalars(tomllib.loads(text)):
        assert positions.line(path) == int(value.split()[0])
