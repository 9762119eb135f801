"""Documents and examples that must not drift from the schemas."""

from __future__ import annotations

import os
import re
import tomllib
from pathlib import Path

import pytest

from lab.labfile import LabFile, Permissions
from lab.loading import LabFileErrors, load_lab
from tools.document_schema import DOCS, SCHEMAS, document

ROOT = Path(__file__).parents[2]
EXAMPLE = (ROOT / "inventory/example-hardware.toml").read_text(encoding="utf-8")
ENVIRONMENT = {
    "SEV_KBS_PASSWORD": "kbspassword",
    "SEV_KEY_PASSPHRASE": "a passphrase",
    "SEV_REGISTRY_PASSWORD": "a password",
}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in (".ssh/id_ed25519", ".ssh/known_hosts", ".kube/config", ".config/sev-1-password"):
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True)
        file.write_text("placeholder\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def load(home: Path, text: str) -> LabFile:
    file = home / "lab.toml"
    file.write_text(text)
    lab, _ = load_lab(file, ROOT / "profiles", ENVIRONMENT)
    return lab


def filled_in() -> str:
    return EXAMPLE.replace('"FILL-IN"', f'"{"0" * 64}"')


@pytest.mark.parametrize("name", SCHEMAS)
def test_the_tables_in_the_docs_are_those_of_the_schema(name: str) -> None:
    text = (DOCS / name).read_text(encoding="utf-8")
    assert document(text, SCHEMAS[name]) == text, "run: python -m tools.document_schema"


def test_the_example_names_what_is_to_be_filled_in_and_nothing_else(home: Path) -> None:
    with pytest.raises(LabFileErrors) as error:
        load(home, EXAMPLE)
    lines = [number for number, line in enumerate(EXAMPLE.splitlines(), start=1) if '= "FILL-IN"' in line]
    assert [mistake.line for mistake in error.value.mistakes] == lines
    assert len(lines) == 4


def test_the_example_is_a_lab_file_once_it_is_filled_in(home: Path) -> None:
    lab = load(home, filled_in())
    assert lab.ssh.known_hosts == home / ".ssh/known_hosts"


def test_the_example_gives_no_permission_and_names_all(home: Path) -> None:
    assert tomllib.loads(EXAMPLE)["permissions"] == dict.fromkeys(Permissions.model_fields, False)


@pytest.mark.parametrize("alternative", re.findall(r"^# (?=\w+ = )(.*)$", EXAMPLE, re.MULTILINE))
def test_each_setting_that_the_example_shows_in_a_comment_is_allowed(home: Path, alternative: str) -> None:
    text = filled_in().replace(f"# {alternative}", alternative, 1)
    if alternative.startswith("local_kubeconfig"):
        text = text.replace("\nkubeconfig =", "\n# kubeconfig =")
    for table in ("[ssh.jump]", "images"):
        text = text.replace(f"# [{table}]", f"[{table}]")
    text = re.sub(r"^# (?=host = \"jump|known_hosts = \"~/.ssh/known_hosts\"$)", "", text, flags=re.MULTILINE)
    load(home, text)


@pytest.mark.parametrize(
    "document", sorted([*ROOT.glob("*.md"), *DOCS.glob("*.md")]), ids=lambda path: path.name
)
def test_links_in_documents_lead_somewhere(document: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)", document.read_text(encoding="utf-8"))
    assert [link for link in links if not (document.parent / link).exists()] == []


def test_every_program_that_the_readme_calls_is_executable() -> None:
    for name in ("run", "test", "tools/set-up"):
        assert os.access(ROOT / name, os.X_OK), name
