"""The pages' two languages."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from lab.verdict import Verdict
from reports import certification, clauses, triage
from reports.comparison.words import TITLES, TOLD, UNCHANGED
from reports.languages import both, chinese, filled
from reports.ledger import Effect
from reports.pedigree import Standing

REPORTS = Path(__file__).parents[2] / "reports"
SOURCES = [*REPORTS.glob("templates/*.html"), *REPORTS.rglob("*.py")]


def _called() -> set[str]:
    """What templates and modules hand to `both` as it stands there, also the two of a choice."""
    found: set[str] = set()
    for path in SOURCES:
        text = path.read_text(encoding="utf-8")
        for call in re.findall(r"\b(?:both|translated)\(((?:[^()\"]|\"[^\"]*\")*)", text):
            found.update(re.findall(r'(?:^|if |else )"([^"]+)"', call), re.findall(r'^\s*"([^"]+)" if', call))
    return found


def _data() -> set[str]:
    """What documents hand to it."""
    document = tomllib.loads(clauses.CLAUSES.read_text(encoding="utf-8"))
    findings = tomllib.loads(clauses.FINDINGS.read_text(encoding="utf-8"))["finding"]
    return {
        *(clause["outcome"] for clause in document["clause"]),
        *(entry[key] for entry in document["erratum"] for key in ("guide", "suite")),
        *(finding[key] for finding in findings for key in ("title", "meaning", "remedy")),
        *certification.Rules.read().titles.values(),
        *(text for rule in triage.Rules.read().rules for text in (rule.cause, rule.next)),
        *(place.next for place in triage.Rules.read().places.values()),
    }


def test_every_text_has_its_chinese() -> None:
    wanted = (
        _called() | _data() | {*TITLES.values(), *TOLD.values(), UNCHANGED} | {*Verdict, *Effect, *Standing}
    )
    assert "Not certified." in wanted
    assert sorted(text for text in wanted if not chinese().get(text)) == []


def test_a_translation_has_the_same_braces_and_code() -> None:
    braces = re.compile(r"\{\w+\}")
    for english, translated in chinese().items():
        assert sorted(braces.findall(translated)) == sorted(braces.findall(english)), english
        assert translated.count("`") == english.count("`"), english


def test_what_a_run_filled_in_is_told_in_both_languages() -> None:
    told = filled("The KBS refuses: `fw` <digest>\nnot valid")
    words = "<code>fw</code> &lt;digest&gt;\nnot valid"
    assert told == (
        f'<span class="en">The KBS refuses: {words}</span><span class="zh" lang="zh">KBS 拒绝：{words}</span>'
    )
    # What says more by itself goes first.
    assert "运行被中断" in filled("never ran: the run was interrupted")
    assert "未运行：it rained" in filled("never ran: it rained")
    assert filled("whatever `else` {there} is") == "whatever <code>else</code> {there} is"


def test_what_fills_a_text_stays_text() -> None:
    told = both("{number} changed", number="<b>")
    assert told == (
        '<span class="en">&lt;b&gt; changed</span><span class="zh" lang="zh">更改 &lt;b&gt; 项</span>'
    )
    assert both("nobody `translated` <this>") == "nobody <code>translated</code> &lt;this&gt;"
