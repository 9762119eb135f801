"""A reboot on purpose, to learn what of the guide's outcomes lasts (clause X-1.1)."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from lab.deadline import Deadline
from lab.errors import DeadlineExceeded, NotPermitted, NotProven, Unreachable
from lab.node_service import wait_for_heartbeat, wait_until_ready
from lab.provisioning import Mode
from lab.services import RUNNING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from lab.boot import Boot
    from lab.cluster import Cluster
    from lab.host import Host
    from lab.labfile import LabFile
    from lab.operator import Operator, Start
    from lab.provisioning import Provisioning
    from lab.services import Services
    from lab.worker_nodes import WorkerNodes

# Seconds between two tries against an API server that is not up yet.
PACE = 1.0


class Reboot:
    """The reboot of one lab's host, and what comes up by itself after it."""

    def __init__(
        self,
        *,
        lab: LabFile,
        host: Host,
        boot: Boot,
        cluster: Cluster,
        nodes: WorkerNodes,
        operator: Operator,
        services: Services,
        provisioning: Provisioning,
        settle: Callable[[Iterable[str]], None],
        afterwards: Callable[[], None],
    ) -> None:
        """`settle` is told which clauses hold before it, and `afterwards` that the host was rebooted."""
        self._lab = lab
        self._host = host
        self._boot = boot
        self._cluster = cluster
        self._nodes = nodes
        self._operator = operator
        self._services = services
        self._provisioning = provisioning
        self._settle = settle
        self._afterwards = afterwards
        self.performed = False
        self._installers: frozenset[Start] = frozenset()

    def require_allowed(self) -> None:
        """Raise NotProven where the host may not be rebooted."""
        if self._provisioning.mode is not Mode.APPLY:
            raise NotProven(
                f"rebooting the host changes the lab, and provisioning is {self._provisioning.mode}"
            )
        if not self._lab.permissions.reboot:
            raise NotPermitted("reboot", "rebooting the host")

    def perform(self, holding: Iterable[str]) -> str | None:
        """Reboot, and wait for what comes up by itself; what hinders the node to be back, or None.

        `holding` are the clauses that hold: what was made for them is made again later.

        Raises NotProven before anything happens, DeadlineExceeded where the host does not come back.
        """
        self.require_allowed()
        node = self._nodes.sev_host().name
        self._settle(holding)
        self._provisioning.undo()
        # The installer may be at work again before the suite is back.
        self._installers = self._operator.installer_starts(node)
        self._boot.reboot()
        self.performed = True
        self._afterwards()
        return self._wait_for_node(node, Deadline(self._lab.timeouts.node_ready))

    def wait_for_installer(self) -> None:
        """Wait until the operator's installer, which starts with the host, has copied its files again."""
        deadline = Deadline(self._lab.timeouts.node_ready)
        node = self._nodes.sev_host().name
        self._operator.wait_for_installer_again(node, self._installers, deadline)

    def _wait_for_node(self, node: str, deadline: Deadline) -> str | None:
        """Wait for the API and a heartbeat from after the reboot; no longer than one may come."""
        pause = threading.Event()
        while True:
            try:
                wait_for_heartbeat(self._cluster, node, "the reboot", deadline)
                wait_until_ready(self._cluster, node, deadline)
            except DeadlineExceeded as error:
                return str(error)
            except Unreachable as error:
                if dead := [unit for unit in ("containerd", "kubelet") if not self._starts(unit)]:
                    return f"{error.cause}: not started by the boot: {', '.join(dead)}"
                if deadline.expired:
                    return str(error)
                pause.wait(deadline.cap(PACE))
            else:
                return None

    def _starts(self, unit: str) -> bool:
        return self._services.state(unit) in RUNNING
