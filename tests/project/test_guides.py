"""What the documents tell a reader to do is there to be done, and both READMEs tell the same."""

from __future__ import annotations

import configparser
import os
import re
import subprocess
from itertools import pairwise
from pathlib import Path

import pytest

from lab.labfile import Permissions
from lab.provisioning import Mode

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
ENGLISH, CHINESE = ((ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "README.zh-CN.md"))
# What a reader makes himself, or a run.
MADE = {"inventory/my-lab.toml", "reports/history.html", ".tox/conformance/bin/python"}
OURS = {
    "--lab", "--provision", "--challenge", "--restore", "--stage", "--release", "--fault", "--record",
    "--keep-lab",
}  # fmt: skip
PYTEST = {"--collect-only"}


def code(text: str) -> list[str]:
    """The lines of its code blocks, without the words that explain them."""
    fenced = re.findall(r"^```\w*\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    rest = re.sub(r"^```\w*\n.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    indented = re.findall(r"(?<=\n\n)((?: {4,7}\S.*\n)+)", rest)
    lines = [line.strip() for block in [*fenced, *indented] for line in block.splitlines()]
    return [re.split(r"\s{2,}|\s+#", line)[0] for line in lines]


def cells(text: str, column: int) -> list[str]:
    """What stands in a column of its tables, but for their headings."""
    lines = text.splitlines()
    rows = [
        line
        for above, line in pairwise(["", *lines])
        if line.startswith("|") and above.startswith("|") and not line.startswith("|---")
    ]
    return [row.split("|")[column].strip().replace("、", ", ") for row in rows]


def test_both_readmes_have_the_same_parts() -> None:
    def levels(text: str) -> list[str]:
        return re.findall(r"^(#+) ", text, re.MULTILINE)

    assert levels(CHINESE) == levels(ENGLISH)


def test_both_readmes_give_the_same_commands() -> None:
    assert code(CHINESE) == code(ENGLISH)
    assert len(code(ENGLISH)) > 10


def test_both_readmes_have_the_same_options_exit_codes_and_permissions() -> None:
    assert cells(CHINESE, 1) == cells(ENGLISH, 1)


def test_both_readmes_link_to_the_same() -> None:
    def links(text: str) -> list[str]:
        return re.findall(r"\]\(((?!README)[^)]+)\)", text)

    assert links(CHINESE) == links(ENGLISH)


def test_both_readmes_name_every_permission_and_mode() -> None:
    named = set(re.findall(r"`(\w+)`", " ".join(cells(ENGLISH, 1))))
    assert set(Permissions.model_fields) <= named
    assert {f"`--provision={mode}`" for mode in Mode} <= set(cells(ENGLISH, 1))


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_file_that_a_document_names_exists(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    folders = "|".join(sorted(path.name for path in ROOT.iterdir() if path.is_dir() and path.name[0] != "."))
    # Not what a run writes, nor a place-holder.
    named = re.findall(rf"(?<![\w/.+-])(?:{folders})/(?!runs|latest|NAME)[\w./-]*\w/?(?![\w*<…])", text)
    assert [path for path in named if path not in MADE and not (ROOT / path).exists()] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_option_that_a_document_gives_the_suite_exists(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    lines = [line for line in [*code(text), *re.findall(r"`([^`\n]+)`", text)] if "/run " in f"{line} "]
    options = {option for line in lines for option in re.findall(r"(?<=\s)--[\w-]+", line)}
    assert options - OURS - PYTEST == set()


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_program_that_a_document_starts_exists(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    modules = re.findall(r"python -m ([\w.]+)", text)
    theirs = {"tox", "pytest"}
    missing = [
        module
        for module in modules
        if module not in theirs
        and not (ROOT / f"{module.replace('.', '/')}.py").is_file()
        and not (ROOT / module.replace(".", "/") / "__main__.py").is_file()
    ]
    assert missing == []


def test_what_the_walk_through_quotes_stands_where_it_says() -> None:
    text = (ROOT / "docs/adding-a-clause.md").read_text(encoding="utf-8")
    quotes = re.findall(r"`([\w./]+)`:\n\n```\w+\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    assert len(quotes) >= 6
    for path, quote in quotes:
        source = (ROOT / path).read_text(encoding="utf-8")
        for part in quote.split("…\n"):
            assert part.rstrip() in source, path


@pytest.mark.parametrize("name", ["sev-conformance.service", "sev-conformance.timer"])
def test_the_units_start_what_is_there(name: str) -> None:
    unit = configparser.RawConfigParser(strict=False)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read(ROOT / "docs/examples" / name)
    assert unit.sections()
    values = [value for section in unit.sections() for value in unit[section].values()]
    for path in re.findall(r"/srv/sev-conformance/(\S+)", " ".join(values)):
        assert (ROOT / path).exists(), path


def test_the_example_script_is_one_that_a_shell_reads() -> None:
    script = ROOT / "docs/examples/send-report"
    assert os.access(script, os.X_OK)
    subprocess.run(["sh", "-n", script], check=True)
