from __future__ import annotations

import pytest

from simlab.machine.tools import gotemplate, text


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (0.4, "Less than a second"),
        (1, "1 second"),
        (59, "59 seconds"),
        (61, "About a minute"),
        (38 * 60, "38 minutes"),
        (3700, "About an hour"),
        (31 * 3600, "31 hours"),
        (47 * 3600, "47 hours"),
        (3 * 86400, "3 days"),
        (15 * 86400, "2 weeks"),
        (70 * 86400, "2 months"),
        (3 * 365 * 86400, "3 years"),
    ],
)
def test_durations_are_told_as_docker_tells_them(seconds: float, told: str) -> None:
    assert text.duration(seconds) == told


@pytest.mark.parametrize(
    ("count", "told"), [(0, "0B"), (999, "999B"), (1234, "1.23kB"), (23_400_000, "23.4MB"), (142e9, "142GB")]
)
def test_sizes_are_told_as_docker_tells_them(count: int, told: str) -> None:
    assert text.size(count) == told


def test_times_may_have_nine_decimals() -> None:
    assert text.parse_time("2026-01-02T03:04:05.123456789Z").isoformat() == "2026-01-02T03:04:05.123456+00:00"
    assert text.parse_time("2026-01-02T03:04:05.5+08:00").isoformat() == "2026-01-02T03:04:05.500000+08:00"


DATA = {
    "Name": "/x",
    "On": True,
    "None": None,
    "Nets": {"a": {"IP": "1"}, "b": {"IP": "2"}},
    "Args": ["p", "q"],
}


@pytest.mark.parametrize(
    ("template", "filled"),
    [
        ("{{.Name}}", "/x"),
        ("{{ .On }} {{.None}} {{.Args}}", "true <no value> [p q]"),
        ("{{json .Args}}", '["p","q"]'),
        ("{{range .Nets}}{{.IP}};{{end}}", "1;2;"),
        ("{{if .On}}yes{{end}}{{if .None}}no{{end}}", "yes"),
        ('{{index .Nets "b"}}', "map[IP:2]"),
        (r"{{.Name}}\t{{.On}}", "/x\ttrue"),
    ],
)
def test_templates_are_filled_as_go_fills_them(template: str, filled: str) -> None:
    assert gotemplate.render(template, DATA) == filled


@pytest.mark.parametrize("template", ["{{.Nothing}}", "{{range .Nets}}", "{{end}}", "{{printf .Name}}"])
def test_what_a_template_asks_in_vain_is_told(template: str) -> None:
    with pytest.raises(gotemplate.TemplateError):
        gotemplate.render(template, DATA)
