"""Whether a platform answered a challenge, by who made it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lab.certificates.roots import AMD
from lab.challenge.documents import Answer, session_digest
from lab.errors import LabError
from lab.fact import Fact
from reports.certificate.reading import checked
from reports.certificate.refusal import Refusal
from reports.certificate.statement import root_name
from reports.recomputed.moment import Contradiction, Facts

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from lab.challenge.documents import PrivatePart
    from reports.model import Results


@dataclass
class Proof:
    """What the answer proves, in lines; or why it proves nothing."""

    problems: list[str] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)


def prove(results: Results, folder: Path, private: PrivatePart, firmwares: Mapping[str, bytes]) -> Proof:
    """Hold the run's answer to the challenge that its maker kept the key of."""
    answer = _answer(results, folder, private)
    if isinstance(answer, str):
        return Proof(problems=[answer])
    problems = list(_wrong(answer, results, private, firmwares))
    if problems:
        return Proof(problems=[f"challenge: {problem}" for problem in problems])
    platform, inputs = private.platform, answer.inputs
    who = (
        f"the PSP of the chip {platform.cek}, whose chain ends in the root {root_name(platform.ark)}"
        if platform.ark in AMD.values()
        else f"who holds the keys of the chain {platform.chain}, which ends in a root that is NOT AMD's "
        f"({platform.ark}): a program can be that, and no hardware is proved"
    )
    computed = "" if inputs.firmware in firmwares else ", as the host tells it; give --firmware to compute it"
    return Proof(
        lines=[
            f"challenge {answer.challenge}: answered by {who}",
            f"launch digest {answer.launch_digest}{computed}",
            f"firmware {inputs.firmware}, kernel {inputs.kernel}, initrd {inputs.initrd}",
            f"command line: {inputs.append}",
            f"SEV firmware {answer.api_major}.{answer.api_minor} build {answer.build}",
            f"SEV policy {answer.policy}",
        ]
    )


def _answer(results: Results, folder: Path, private: PrivatePart) -> Answer | str:
    facts = Facts(folder, results)
    wanted = private.public.id
    for scenario in results.scenarios:
        for evidence in scenario.evidence:
            if evidence.fact == Fact.CHALLENGE_RESPONSE:
                try:
                    answer = checked(Answer, facts.of(evidence), evidence.file)
                except (Refusal, Contradiction) as error:
                    return f"challenge: {error}"
                if answer.challenge == wanted:
                    return answer
    return f"challenge: the run has no answer to {wanted}"


def _wrong(
    answer: Answer, results: Results, private: PrivatePart, firmwares: Mapping[str, bytes]
) -> Iterator[str]:
    try:
        if not answer.measured_by(private.key):
            yield (
                "the measurement was not made with the session's key, or is of another launch digest, "
                "policy, firmware or nonce"
            )
        yield from _other_launch(answer, firmwares)
    except (LabError, ValueError) as error:
        yield f"it cannot be checked: {error}"
    if answer.session != session_digest(private.public):
        yield "it is an answer to another session"
    if answer.policy != private.public.policy:
        yield f"the guest's policy was {answer.policy}, and the session is for {private.public.policy}"
    if answer.answered < private.public.made:
        yield "it was answered before the challenge was made"
    if not results.run.started <= answer.answered <= results.run.finished:
        yield f"it was answered at {answer.answered:%Y-%m-%d %H:%M:%S}, and not while the run went on"
    chip = private.platform.cek
    if chip not in {each.cek for each in results.session.platforms}:
        yield f"the run was made on another platform than the challenge's, whose chip is {chip}"
    yield from _not_pinned(answer, results)


def _other_launch(answer: Answer, firmwares: Mapping[str, bytes]) -> Iterator[str]:
    firmware = firmwares.get(answer.inputs.firmware)
    if firmware is None:
        return
    computed = answer.inputs.digest(firmware)
    if computed != answer.launch_digest:
        yield f"what was launched measures to {computed}, and {answer.launch_digest} was measured"


def _not_pinned(answer: Answer, results: Results) -> Iterator[str]:
    pins = results.lab.get("pins") or {}
    for what in ("firmware", "kernel"):
        found = getattr(answer.inputs, what)
        if found != pins.get(what):
            yield f"the {what} was {found}, and the lab file pins {pins.get(what)}"
    files = results.lab.get("files") or {}
    initrds = {(files.get(name) or {}).get("sha256") for name in ("initrd_online", "initrd_offline")}
    if answer.inputs.initrd not in initrds:
        yield f"the initrd was {answer.inputs.initrd}, which is none that the lab file pins"
