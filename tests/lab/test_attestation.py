"""A launch that the KBS is never asked about: told at once, and by one clause."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from lab.attestation import gone_astray
from lab.confidential import ConfidentialPods
from lab.containerd import PATH
from lab.errors import NotProven
from lab.kata import KataConfiguration
from lab.outcome import Pod, Stage
from lab.record import MemoryRecord
from tests.lab.said import SayingHost

NODES, OWN = "/node.toml", "/own.toml"
RUNTIME = b"""[plugins.cri.containerd.runtimes.kata-sev]
runtime_type = "io.containerd.kata-sev.v2"
cri_handler = "cc"
"""
NO_KEY = 'Failed to pull image "x": no key'
ASTRAY = (
    "Error receiving launch bundle from attestation proxy: rpc error: code = Unavailable desc = connection "
    'error: desc = "transport: Error while dialing dial tcp 127.0.0.1:{}: connect: connection refused"'
)
KBC = {name: SimpleNamespace(settings={"guest_pre_attestation_secret_type": name}) for name in ("c", "b")}


def started(path: str, kind: str, sev_guest: dict[str, str] | None = None, problem: str = "") -> Pod:
    vm = SimpleNamespace(qemu=SimpleNamespace(sev_guest=sev_guest))

    def require_pinned(*_: object) -> None:
        if problem:
            raise NotProven(problem, owner="A-2.1")

    pods = ConfidentialPods(
        lab=cast("Any", SimpleNamespace(
            kbs=SimpleNamespace(port=44444), images=SimpleNamespace(encrypted_busybox="x")
        )),
        profile=cast("Any", SimpleNamespace(
            kata=SimpleNamespace(sev_configuration=NODES, sev_runtime_class="kata-sev"),
            kbc=SimpleNamespace(online=KBC["c"], offline=KBC["b"]),
            messages=SimpleNamespace(no_key="no key", not_decrypted="not decrypted"),
        )),
        host=SayingHost({"systemctl is-active": "active\n"}, {PATH: RUNTIME}).as_host,
        launches=cast("Any", SimpleNamespace(vm_of=lambda *_: vm, of=lambda *_: None)),
        broker=cast("Any", None),
        artefacts=cast("Any", SimpleNamespace(require_pinned=require_pinned)),
        workloads=cast("Any", SimpleNamespace(start=lambda *, final, **_: Pod("default", "p", "u", final))),
        borrowing=cast("Any", None),
        record=MemoryRecord(),
        run="r",
    )  # fmt: skip
    text = f'[hypervisor.qemu]\nguest_pre_attestation_secret_type = "{kind}"\n'
    return pods.start(KataConfiguration(path, text))


@pytest.mark.parametrize(
    ("guest", "told"),
    [(None, "no SEV guest: confidential_guest in"), ({"policy": "0"}, "without pre-attestation: guest_pre_")],
)
@pytest.mark.parametrize(("path", "kind"), [(OWN, "c"), (OWN, "b"), (NODES, "b")])
def test_a_vm_that_the_kbs_was_not_asked_about_proves_nothing(
    path: str, kind: str, guest: dict[str, str] | None, told: str
) -> None:
    pod = started(path, kind, guest)
    with pytest.raises(NotProven, match=told) as stopped:
        pod.final(pod, Stage.IMAGE, NO_KEY)
    assert stopped.value.owner == "W-3.3"


def test_on_the_nodes_configuration_for_the_online_kbc_it_fails() -> None:
    pod = started(NODES, "c")
    with pytest.raises(AssertionError, match=f"confidential_guest in {NODES}"):
        pod.final(pod, Stage.IMAGE, NO_KEY)


def test_a_vm_that_was_attested_may_have_its_key_yet() -> None:
    pod = started(OWN, "c", {"session-file": "/tmp/sev/1/session_file.b64"})  # noqa: S108
    assert not pod.final(pod, Stage.IMAGE, NO_KEY)


def test_a_port_that_is_not_the_kbs_and_where_nobody_listens_is_not_waited_for() -> None:
    pod = started(OWN, "b")
    assert not pod.final(pod, Stage.LAUNCH, ASTRAY.format(44444))
    with pytest.raises(NotProven, match=r"asked 127.0.0.1:44445, where nobody listens") as stopped:
        pod.final(pod, Stage.LAUNCH, ASTRAY.format(44445))
    assert stopped.value.owner == "W-3.3"


def test_a_refused_connection_is_found_whatever_the_address() -> None:
    assert gone_astray("dial tcp [::1]:5: connect: connection refused", 44444)
    assert gone_astray("dial tcp 10.0.0.1:5: i/o timeout", 44444) is None


def test_nothing_starts_from_files_that_are_not_the_pinned_ones() -> None:
    with pytest.raises(NotProven, match="the firmware"):
        started(NODES, "c", problem="the firmware is another")
