"""Workload and refusal clauses: pods, launches, what the KBS answered and recorded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from lab.errors import LabError
from lab.fact import Fact
from lab.kata import KBC_PARAMETER, KataConfiguration
from lab.launch_secret import NOT_INJECTED
from lab.launches import Inputs
from lab.outcome import is_ready
from lab.parsers.qemu import QemuArguments, parse_cmdline
from lab.profile import KbcSettings
from reports.recomputed.moment import Contradiction, Moment, require
from reports.recomputed.policies import refusal

if TYPE_CHECKING:
    from collections.abc import Callable

POLICY_REFUSED: Final = "Policy validation failed: "


def _running(moment: Moment) -> None:
    pod = moment.newest(Fact.POD)
    require(is_ready(pod), f"the pod {_name(pod)} is not Running with every container ready")


def _both_running(moment: Moment) -> None:
    pods = {_name(pod): pod for pod in moment.seen(Fact.POD)}
    require(len(pods) >= 2, "its evidence does not show two pods")
    for name, pod in list(pods.items())[-2:]:
        require(is_ready(pod), f"the pod {name} is not Running with every container ready")


def _refused(moment: Moment, words: str) -> None:
    pod, events = moment.newest(Fact.POD), moment.newest(Fact.EVENTS)
    require(not is_ready(pod), f"the pod {_name(pod)} is Running")
    require(words in events, f"the events of the pod {_name(pod)} do not tell {words!r}")


def _refused_at_image(moment: Moment) -> None:
    _refused(moment, moment.results.profile["messages"]["no_key"])


def _does_not_decrypt(moment: Moment) -> None:
    _refused(moment, moment.results.profile["messages"]["not_decrypted"])


def _not_by_policy(moment: Moment) -> None:
    events = moment.newest(Fact.EVENTS)
    require(POLICY_REFUSED not in events, "the pod's events tell that a policy refused it")


def _refused_at_launch(moment: Moment) -> None:
    cause = moment.words["cause"]
    _refused(moment, cause)
    if cause == f"{POLICY_REFUSED}fw digest not valid":
        digest, policy = _digest(moment), moment.newest(Fact.POLICY)
        require(
            digest not in policy["allowed_digests"], f"the policy allows {digest}, which it is said to refuse"
        )


def _refused_injection(moment: Moment) -> None:
    _refused(moment, NOT_INJECTED)


def _recorded(moment: Moment) -> None:
    digest = _digest(moment)
    recorded = {row.get("fw_digest") for sql in moment.here(Fact.SQL) for row in sql["rows"]}
    require(digest in recorded, f"no row of the KBS's database has the launch digest {digest}")


def _gives(moment: Moment) -> None:
    (answer,) = moment.here(Fact.KBS_CALL) or [{}]
    require(answer.get("status") == "OK", f"the KBS answered {answer.get('status')} {answer.get('text')}")
    policies = moment.seen(Fact.POLICY)
    reason = refusal(policies[-1], _launch_row(moment)) if policies else None
    require(reason is None, f"by its policy, the KBS should refuse: {reason}")


def _refuses(moment: Moment) -> None:
    cause = moment.words["cause"]
    (answer,) = moment.here(Fact.KBS_CALL) or [{}]
    told = (answer.get("status"), answer.get("text"))
    require(told == ("INTERNAL", cause), f"the KBS answered {told}, and not {cause!r}")
    reason = refusal(moment.newest(Fact.POLICY), _launch_row(moment))
    require(f"{POLICY_REFUSED}{reason}" == cause, f"by its policy, the KBS should say {reason}, not {cause}")


def _known_digest(moment: Moment) -> None:
    launches = [each["launch digest"] for each in moment.seen(Fact.LAUNCH)]
    require(len(launches) >= 2, "its evidence does not show two launches")
    require(launches[-1] == launches[-2], f"the launches measured to {launches[-2]} and {launches[-1]}")
    _digest(moment)


def _sev_guest(moment: Moment) -> None:
    guest = _qemu(moment)
    require(guest.sev_guest is not None, "QEMU ran without a sev-guest object")
    require((guest.sev_guest or {}).get("kernel-hashes") == "on", "QEMU was not told to measure the kernel")
    require(guest.machine.get("confidential-guest-support") == "sev", "QEMU's machine was no SEV machine")


def _boots_initrd(moment: Moment) -> None:
    pinned = moment.results.lab["files"][f"initrd_{moment.words['kbc']}"]["sha256"]
    booted = _inputs(moment).initrd
    require(booted == pinned, f"the VM booted the initrd {booted}, and pinned is {pinned}")


def _names_kbc(moment: Moment) -> None:
    wanted = f"{KBC_PARAMETER}={moment.results.profile['kbc']['online']['name']}::"
    named = [each for each in _qemu(moment).append.split() if each.startswith(f"{KBC_PARAMETER}=")]
    require(
        len(named) == 1 and named[0].startswith(wanted), f"the kernel parameters name {named or 'no KBC'}"
    )


def _names_no_kbc(moment: Moment) -> None:
    named = [each for each in _qemu(moment).append.split() if KBC_PARAMETER in each]
    require(not named, f"the kernel parameters name {named}")


def _boots_named(moment: Moment) -> None:
    configuration, qemu = _configuration(moment), _qemu(moment)
    named = (configuration.firmware, configuration.kernel, configuration.initrd)
    booted = (qemu.firmware, qemu.kernel, qemu.initrd)
    require(booted == named, f"the VM was started with {booted}, and its configuration names {named}")
    inputs, pins = _inputs(moment), moment.results.lab["pins"]
    for what in ("firmware", "kernel"):
        found = getattr(inputs, what)
        require(found == pins[what], f"the {what} was {found}, and pinned is {pins[what]}")


def _ends_in_parameters(moment: Moment) -> None:
    append = _qemu(moment).append
    require(
        _configuration(moment).ends(append), f"{append!r:.200} does not end in its configuration's parameters"
    )


def _asks_for_bundle(moment: Moment) -> None:
    offline = KbcSettings.model_validate(moment.results.profile["kbc"]["offline"])
    require(_configuration(moment).is_for(offline), f"its configuration does not set {offline.settings}")


def _pinned(moment: Moment) -> None:
    # The files are looked at before the launch that shows them is.
    lab, launches = moment.results.lab, moment.ever(Fact.LAUNCH)
    require(launches, "its evidence has no launch")
    initrds = [lab["files"][name]["sha256"] for name in ("initrd_online", "initrd_offline")]
    for inputs in (each["inputs"] for each in launches):
        for what in ("firmware", "kernel"):
            require(inputs[what] == lab["pins"][what], f"the {what} was {inputs[what]}, which is not pinned")
        require(inputs["initrd"] in initrds, f"the initrd was {inputs['initrd']}, which is not pinned")


WORKLOADS: Final[dict[str, Callable[[Moment], None]]] = {
    r"the pod is Running(, which [A-Z]-\d+\.\d+ proves)?": _running,
    r"both pods are Running, which [A-Z]-\d+\.\d+ proves": _both_running,
    r"the pod is refused at its image, for want of the decryption key": _refused_at_image,
    r"the pod is refused at its image, as the key does not decrypt it": _does_not_decrypt,
    r"no policy refuses the pod, which [A-Z]-\d+\.\d+ proves": _not_by_policy,
    r'the pod is refused at its launch with "(?P<cause>.*)"': _refused_at_launch,
    r"the pod is refused at its launch, as its secret cannot be injected": _refused_injection,
    r"the KBS recorded the launch under the digest that the suite computes": _recorded,
    r"the KBS gives the key to that launch when the suite asks": _gives,
    r'the KBS refuses the key to that launch with "(?P<cause>.*)"': _refuses,
    r"its launch digest is the known one": _known_digest,
    r"its VM is an SEV guest": _sev_guest,
    r"its VM boots the (?P<kbc>\w+)-KBC initrd that the node's configuration names": _boots_initrd,
    r"its kernel parameters name the online KBC and the KBS's address": _names_kbc,
    r"its kernel parameters name no KBC": _names_no_kbc,
    r"its VM was started with the firmware, kernel and initrd of its kata configuration": _boots_named,
    r"its command line ends in its configuration's kernel parameters": _ends_in_parameters,
    r"the node's configuration asks for the launch secret of the offline KBC": _asks_for_bundle,
    r"its firmware, kernel and initrd are the files that the lab file pins": _pinned,
}


def _name(pod: Any) -> str:
    return str(pod.get("metadata", {}).get("name", "without a name"))


def _qemu(moment: Moment) -> QemuArguments:
    try:
        return parse_cmdline("\0".join(moment.newest(Fact.LAUNCH)["arguments"]).encode())
    except LabError as error:
        raise Contradiction(str(error)) from None


def _inputs(moment: Moment) -> Inputs:
    return Inputs(**moment.newest(Fact.LAUNCH)["inputs"])


def _digest(moment: Moment) -> str:
    """The newest launch's digest; computed from its inputs where the firmware is at hand."""
    launch, inputs = moment.newest(Fact.LAUNCH), _inputs(moment)
    require(inputs.append == _qemu(moment).append, "the command line that was measured is not QEMU's")
    firmware = moment.facts.firmwares.get(inputs.firmware)
    if firmware is not None:
        computed = inputs.digest(firmware)
        told = launch["launch digest"]
        require(computed == told, f"its inputs measure to {computed}, and it tells {told}")
    return str(launch["launch digest"])


def _launch_row(moment: Moment) -> dict[str, Any]:
    digest = _digest(moment)
    rows = [row for sql in moment.here(Fact.SQL) for row in sql["rows"] if row.get("fw_digest") == digest]
    require(rows, f"no row of the KBS's database has the launch digest {digest}")
    return dict(rows[-1])


def _configuration(moment: Moment) -> KataConfiguration:
    try:
        return KataConfiguration.parse(
            "its kata configuration", moment.newest(Fact.KATA_CONFIGURATION).encode()
        )
    except LabError as error:
        raise Contradiction(str(error)) from None
