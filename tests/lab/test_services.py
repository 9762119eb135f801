import pytest

from lab.errors import LabError, NotProven
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


def test_a_unit_that_others_need_is_charged_to_the_clause_that_owns_it() -> None:
    Services(SayingHost({"systemctl is-active": "active\n"}).as_host).require_running("containerd", "C-4.3")
    with pytest.raises(NotProven, match="containerd is failed") as refused:
        Services(SayingHost({"systemctl is-active": "failed\n"}).as_host).require_running(
            "containerd", "C-4.3"
        )
    assert refused.value.owner == "C-4.3"
