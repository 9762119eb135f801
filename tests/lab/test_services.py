import pytest

from lab.errors import LabError
from lab.services import Services
from tests.lab.said import Answer, SayingHost


@pytest.mark.parametrize(
    ("state", "runs"),
    [
        ("active\n", True),
        ("activating\n", True),
        ("inactive\n", False),
        ("failed\n", False),
        ("unknown\n", False),
    ],
)
def test_what_counts_as_running(state: str, runs: bool) -> None:
    assert Services(SayingHost({"systemctl is-active firewalld": state}).as_host).runs("firewalld") is runs


@pytest.mark.parametrize("answer", ["", (1, "Failed to connect to bus: No such file or directory")])
def test_no_answer_is_no_state(answer: Answer) -> None:
    with pytest.raises(LabError, match="does not tell the state of firewalld"):
        Services(SayingHost({"systemctl is-active": answer}).as_host).state("firewalld")
