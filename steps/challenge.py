"""A certifier's challenge, answered by the platform."""

from __future__ import annotations

from pytest_bdd import given, then, when

from fixtures.run import Run
from lab.challenge.answering import Challenging, Response
from lab.challenge.documents import Challenge
from lab.errors import NotProven
from lab.platform import Platform


@given("a challenge that was made for this platform", target_fixture="challenge")
def have_challenge(run: Run, platform: Platform) -> Challenge:
    """Only the platform whose PDH it was made for can take the session's keys out."""
    if run.challenge is None:
        raise NotProven("no challenge was given: ./run --challenge FILE")
    if run.challenge.pdh != platform.exported_pdh():
        raise NotProven("the challenge was made for another platform, or for an earlier PDH of this one")
    return run.challenge


@when("a guest is launched with the challenge's session", target_fixture="response")
def launch(challenging: Challenging, challenge: Challenge) -> Response:
    """On a kata configuration of its own, whose pre-attestation asks the suite."""
    return challenging.ask(challenge)


@then("the platform's measurement of that launch is kept")
def keep_measurement(challenging: Challenging, response: Response) -> None:
    """As evidence; whether it is right is its maker's to say."""
    challenging.keep(response)


@then("the launch has the digest that the suite computes")
def have_digest(response: Response) -> None:
    """What kata says was launched is what QEMU was started with."""
    told = response.answer.launch_digest
    assert told == response.computed, f"kata told {told}, and QEMU's arguments measure to {response.computed}"
