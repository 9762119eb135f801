"""Where evidence, operations, findings and versions go; and that no secret gets anywhere."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING

import jsonschema
import pytest

from lab.secret import Redactor, Secret
from reports import schema
from reports.evidence import BINARY, JSON, TEXT, redacted_bytes
from reports.schema import SCHEMA
from reports.terminal import summary
from tests.reports.small_suite import PASSWORD, allure

if TYPE_CHECKING:
    from tests.reports.small_suite import Left, Suite

FEATURE = """\
Feature: Facts

  @W-1.2
  Scenario: Tells much
    Given a cluster
    When something is changed
    Then it holds

  @W-3.3
  Scenario: Leaks
    Given a cluster
    Then the password is everywhere
"""
STEPS = """
@pytest.fixture(scope="session")
def cluster(record):
    record.evidence("nodes", [{"name": "node-1"}])
    record.operation(operation("label the node", changed=False))
    record.finding(Finding("debugging is allowed", "policy 0", "X-2.3"))
    record.version("kubernetes", "v1.24.0")
    yield
    record.finding(Finding("files are left", "2 of them"))

@given("a cluster")
def _(cluster):
    pass

@pytest.fixture
def row(record):
    record.operation(operation("lend row 10", kind="borrowed"))
    yield
    record.evidence("after", "given back")

@when("something is changed")
def _(record, row):
    record.operation(operation("install sevctl"))
    record.operation(operation("edit the TOML", applied=False))
    record.operation(operation("reboot", failed="it hung"))
    record.evidence("rows", {"id": 10})
    record.evidence("digest", bytes(range(256)))
    record.finding(Finding("debugging is allowed", "policy 0", "X-2.3"))
    print("printed")

@then("the password is everywhere")
def _(record):
    import base64
    record.evidence("text " + PASSWORD, "p=" + PASSWORD)
    encoded = base64.b64encode(PASSWORD.encode()).decode()
    record.evidence("object", {"password": PASSWORD, "deep": [{PASSWORD: encoded}]})
    record.evidence("bytes", b"\\xff" + PASSWORD.encode())
    record.operation(operation("log in", before=PASSWORD))
    record.finding(Finding(PASSWORD, PASSWORD))
    record.version("server", PASSWORD)
    record.waiting(Wait(PASSWORD, 31.0, 1.0, PASSWORD))
    print(PASSWORD)
    assert "a" == PASSWORD, PASSWORD
"""


@pytest.fixture
def left(suite: Suite) -> Left:
    suite.write(FEATURE, STEPS)
    return suite.run()


def test_facts(left: Left) -> None:
    results = left.results
    tells = left.scenario("Tells much")
    # What a session-wide fixture does is the session's, though a scenario was the first or the last to ask.
    assert [(entry.name, entry.step) for entry in results.session.evidence] == [("nodes", None)]
    assert [operation.name for operation in results.session.operations] == ["label the node"]
    assert results.versions["kubernetes"] == "v1.24.0"
    assert [each.title for each in results.session.findings] == ["debugging is allowed", "files are left"]

    assert [(entry.name, entry.step) for entry in tells.evidence] == [
        ("rows", 1),
        ("digest", 1),
        ("answer", 2),
        ("after", None),
        ("Captured stdout call", None),
    ]
    assert [operation.name for operation in tells.operations] == [
        "lend row 10",
        "install sevctl",
        "edit the TOML",
        "reboot",
    ]
    [planned] = [operation for operation in tells.operations if not operation.applied]
    lines = [line.plain for line in summary(results, "report")]
    assert lines[lines.index("Would change, in this order") + 1] == f"  {planned.name}: {planned.before}"
    assert results.answer.ledger.model_dump() == {
        "failed": 1,
        "changed": 1 + 1,  # "log in" of the other scenario
        "would_change": 1,
        "unchanged": 1,
        "borrowed": 1,
    }
    assert json.loads((left.folder / tells.evidence[0].file).read_bytes()) == {"id": 10}
    assert (left.folder / tells.evidence[1].file).read_bytes() == bytes(range(256))

    _results_keep_their_schema(left)
    _allure_has_steps_and_evidence(left)
    _no_secret_gets_anywhere(left)


def _results_keep_their_schema(left: Left) -> None:
    document = json.loads((left.folder / "results.json").read_bytes())
    validator = jsonschema.Draft202012Validator(json.loads(SCHEMA.read_bytes()))
    validator.check_schema(validator.schema)
    validator.validate(document)
    del document["scenarios"][0]["verdict"]
    with pytest.raises(jsonschema.ValidationError):
        validator.validate(document)


def _allure_has_steps_and_evidence(left: Left) -> None:
    tells = allure(left)["Tells much"]
    assert tells["status"] == "passed"
    assert [(step["name"], step["status"]) for step in tells["steps"]] == [
        ("Given a cluster", "passed"),
        ("When something is changed", "passed"),
        ("Then it holds", "passed"),
    ]
    assert [entry["name"] for entry in tells["steps"][1]["attachments"]] == ["rows", "digest"]
    # The ledger's entries, for who sees only Allure.
    entries = tells["steps"][1]["steps"]
    assert [(entry["name"], entry["status"]) for entry in entries] == [
        ("changed: install sevctl", "passed"),
        ("would change: edit the TOML", "passed"),
        ("failed: reboot", "broken"),
    ]
    assert {each["name"]: each["value"] for each in entries[2]["parameters"]} == {
        "Failed": "it hung",
        "Looked at": "l",
        "Before": "b",
        "After": "a",
        "Verified by": "v",
        "Undone by": "u",
    }
    # Of the fixtures, those that did something; what they did is the ledger's too.
    files = (left.folder / "allure-results").glob("*-container.json")
    containers = [json.loads(path.read_bytes()) for path in files]
    befores = {each["name"]: each for container in containers for each in container.get("befores", [])}
    assert set(befores) == {"cluster", "row"}
    assert [step["name"] for step in befores["row"]["steps"]] == ["borrowed: lend row 10"]
    labels = {(label["name"], label["value"]) for label in tells["labels"]}
    assert {("feature", "Facts"), ("suite", "Facts"), ("tag", "W-1.2")} <= labels


def _no_secret_gets_anywhere(left: Left) -> None:
    forms = [
        PASSWORD,
        PASSWORD.replace('"', '\\"'),
        PASSWORD.replace('"', "&quot;"),
        PASSWORD.replace('"', "&#34;"),
    ]
    forms.append(base64.b64encode(PASSWORD.encode()).decode())
    for name, text in {**left.texts(), "the terminal": left.output}.items():
        for form in forms:
            assert form not in text, name
    assert left.scenario("Leaks").reason == "[secret]"
    assert left.results.lab["password"] == "[secret]"


def test_the_schema_is_the_model_s() -> None:
    assert SCHEMA.read_text(encoding="utf-8") == schema.text(), "write it again: python -m reports.schema"


def test_bodies_are_told_apart() -> None:
    redactor = Redactor()
    redactor.learn(Secret('a"b\\cd'))
    assert redacted_bytes("plain", redactor) == (TEXT, b"plain")
    assert redacted_bytes("语".encode(), redactor) == (TEXT, "语".encode())
    assert redacted_bytes(b"\x00\x01", redactor) == (BINARY, b"\x00\x01")
    assert redacted_bytes(b'\xff a"b\\cd', redactor) == (BINARY, b"\xff [secret]")
    media_type, data = redacted_bytes({"k": 'a"b\\cd'}, redactor)
    assert (media_type, json.loads(data)) == (JSON, {"k": "[secret]"})
