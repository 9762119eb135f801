"""A reboot on purpose: who may do it, and what is waited for after it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from lab.errors import NotPermitted, NotProven, Unreachable
from lab.operator import Operator
from lab.provisioning import Mode, Provisioning
from lab.reboot import Reboot
from lab.record import MemoryRecord
from lab.services import Services
from lab.worker_nodes import WorkerNodes
from tests.lab.objects_cluster import LABEL, ObjectsCluster, lease, node
from tests.lab.said import SayingHost

if TYPE_CHECKING:
    from lab.labfile import LabFile

# By a clock that is ahead until it is set right, as a host's may be after its boot.
BEFORE = "2026-11-24T15:00:00.000000Z"


class SlowCluster(ObjectsCluster):
    """Its API does not answer for the first few times."""

    silent = 0

    def wait(self, *args: Any, **kwargs: Any) -> Any:
        if self.silent:
            self.silent -= 1
            raise Unreachable("cluster", "connection refused")
        return super().wait(*args, **kwargs)


class Rebooting:
    """A host that is rebooted, and what happens to it, in order."""

    def __init__(self, lab: LabFile, mode: Mode = Mode.APPLY) -> None:
        self.did: list[str] = []
        self.cluster = SlowCluster({"Node": [node(**{LABEL: ""})], "Lease": [lease(BEFORE)]})
        self.host = SayingHost({"systemctl is-active": "active\n"})
        as_boot: Any = self
        nodes = WorkerNodes(lab, self.cluster.as_cluster, LABEL)
        self.whole = Reboot(
            lab=lab,
            host=self.host.as_host,
            boot=as_boot,
            cluster=self.cluster.as_cluster,
            nodes=nodes,
            operator=Operator(self.cluster.as_cluster, nodes),
            services=Services(self.host.as_host),
            provisioning=Provisioning(mode=mode, permissions=lab.permissions, record=MemoryRecord()),
            settle=lambda clauses: self.did.append(f"settled {', '.join(clauses)}"),
            afterwards=lambda: self.did.append("forgotten"),
        )

    def reboot(self) -> None:
        self.did.append("rebooted")
        self.cluster.beats = True


@pytest.fixture
def lab(lab_of: Any) -> LabFile:
    lab: LabFile = lab_of(
        {"host": "h", "known_hosts": "/dev/null"}, permissions={"reboot": True}, timeouts={"node_ready": 2.0}
    )
    return lab


def test_a_node_that_comes_back_by_itself_has_a_heartbeat_from_after_the_reboot(lab: LabFile) -> None:
    rebooting = Rebooting(lab)
    rebooting.cluster.silent = 1
    assert rebooting.whole.perform(["C-1.1", "C-3.1"]) is None
    assert rebooting.did == ["settled C-1.1, C-3.1", "rebooted", "forgotten"]
    assert rebooting.whole.performed


def test_a_heartbeat_from_before_the_reboot_says_nothing(lab: LabFile) -> None:
    rebooting = Rebooting(lab)
    rebooting.reboot = lambda: None  # type: ignore[method-assign]
    assert rebooting.whole.perform([]) == "a heartbeat of sev-1 from after the reboot"


def test_an_api_that_nobody_starts_is_not_waited_for(lab: LabFile) -> None:
    rebooting = Rebooting(lab)
    rebooting.cluster.silent = 1000
    rebooting.host.says["systemctl is-active kubelet"] = "activating\n"
    rebooting.host.says["systemctl is-active containerd"] = "inactive\n"
    assert rebooting.whole.perform([]) == "connection refused: not started by the boot: containerd"
    assert rebooting.cluster.silent == 999


@pytest.mark.parametrize("mode", [Mode.CHECK, Mode.OFF])
def test_without_apply_nothing_is_rebooted(lab: LabFile, mode: Mode) -> None:
    rebooting = Rebooting(lab, mode)
    with pytest.raises(NotProven, match=f"provisioning is {mode}"):
        rebooting.whole.perform([])
    assert rebooting.did == []


def test_without_the_permission_nothing_is_rebooted(lab_of: Any) -> None:
    rebooting = Rebooting(lab_of({"host": "h", "known_hosts": "/dev/null"}))
    with pytest.raises(NotPermitted, match=r"permissions\.reboot = true"):
        rebooting.whole.perform([])
    assert rebooting.did == []
