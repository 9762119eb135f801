"""What a lab says right after a scenario failed: kept before anything is given back, bounded and redacted.

All of it is read, nothing changed. What cannot be looked at is told as such: then a reader knows that, too.
"""

from __future__ import annotations

import contextlib
import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from lab.deadline import Deadline
from lab.errors import LabError, Unreachable
from lab.fact import Fact
from lab.node import CRICTL
from lab.outcome import NO_SANDBOX, Pod
from lab.sev_node import sev_node

if TYPE_CHECKING:
    from collections.abc import Callable

    from lab.labfile import LabFile
    from lab.parts import Parts
    from lab.profile import Profile
    from lab.record import Record

# A scenario that failed may take this long once more, in seconds.
LONGEST = 60.0
# Lines of each log: more than a failed launch writes, and little enough to be read.
LINES = 300
# Clocks of host and runner differ by less; a log is read so many seconds further back.
SLACK = 5

# kata's shim logs under this identifier (kata-containers CC-0.3.0, docs/Developer-Guide.md).
_JOURNALS = {
    "kubelet and containerd": "--unit kubelet --unit containerd",
    "kata": "--identifier kata",
}
_KERNEL = "dmesg | grep --ignore-case --extended-regexp 'sev|ccp|kvm|out of memory' | tail -n %s"


class Aftermath:
    """Looks at the host, the node, the KBS and its database, as far as each still answers."""

    def __init__(self, *, lab: LabFile, profile: Profile, parts: Parts, record: Record) -> None:
        self._lab = lab
        self._profile = profile
        self._parts = parts
        self._record = record

    def keep(self, since: float, pod: Pod | None) -> None:
        """Keep what was said in the last `since` seconds; of the cluster also what it says of `pod`."""
        deadline = Deadline(LONGEST)
        seconds = int(since) + SLACK
        looks: list[tuple[str, Callable[[], None]]] = [
            ("containers of docker", self._containers),
            ("the node", self._node),
            ("launches that the KBS recorded", lambda: self._launches(seconds)),
            ("the KBS's log", lambda: self._kbs_log(seconds)),
            ("the node's journal", lambda: self._journals(seconds)),
            ("the kernel's log", self._kernel),
        ]
        if pod is not None:
            looks.insert(0, (f"events of pod {pod.name}", lambda: self._pod(pod)))
        lost: set[str] = set()
        for what, look in looks:
            if deadline.expired or "host" in lost:
                why = "no time is left" if deadline.expired else "the host is lost"
                self._record.evidence(f"not looked at: {what}", why)
                continue
            try:
                look()
            except LabError as error:
                if isinstance(error, Unreachable):
                    lost.add(error.service)
                self._record.evidence(f"could not be looked at: {what}", str(error))

    def keep_containers(self) -> None:
        """Keep docker's containers alone: of a KBS that does not answer they say why."""
        with contextlib.suppress(LabError):
            self._containers()

    def _pod(self, pod: Pod) -> None:
        events = self._parts.cluster.events(pod.namespace, pod.uid)
        lines = [f"{event.get('reason')}\t{event.get('message')}" for event in events]
        self._record.evidence(f"events of pod {pod.name}", "\n".join(lines), fact=Fact.EVENTS)
        if any(event.get("reason") == NO_SANDBOX for event in events):
            return
        self._say(Fact.COMMAND, f"sandboxes of pod {pod.name}", f"{CRICTL} pods --name %s", pod.name)

    def _node(self) -> None:
        name = sev_node(self._lab, self._parts.cluster, self._profile.cluster.worker_label)
        node: dict[str, Any] = self._parts.cluster.get("Node", name) or {}
        lines = [
            f"{each['type']}={each['status']}\t{each.get('reason', '')}\t{each.get('message', '')}"
            for each in node.get("status", {}).get("conditions", [])
        ]
        lines += [f"taint\t{each}" for each in node.get("spec", {}).get("taints", [])]
        self._record.evidence(f"conditions of node {name}", "\n".join(lines), fact=Fact.NODE)

    def _containers(self) -> None:
        # A container that was removed leaves nothing but the headline.
        command = "echo NAMES; docker ps --all --format '{{.Names}}\t{{.Status}}'"
        self._say(Fact.CONTAINERS, "containers of docker", command)

    def _launches(self, seconds: int) -> None:
        """The rows since, and the KBS's raw answer to the newest of them: never the symmetric key."""
        broker = self._parts.broker
        rows = broker.database.recent_connections(seconds)
        self._record.evidence(
            "launches that the KBS recorded", [asdict(row) for row in rows], fact=Fact.CONNECTIONS
        )
        if rows:
            broker.key_for(rows[-1].fw_digest)

    def _kbs_log(self, seconds: int) -> None:
        for name in self._parts.broker.servers():
            # Debugging tells every HTTP/2 frame (simple-kbs 0.1.1, docker-compose.yml, RUST_LOG).
            command = "docker logs --since %s %s 2>&1 | grep --invert-match ' DEBUG ' | tail -n %s"
            self._say(Fact.KBS_LOG, f"the log of {name}", command, f"{seconds}s", name, LINES)

    def _journals(self, seconds: int) -> None:
        since = f"--since=-{seconds}s --no-pager --output=short-iso --lines={LINES}"
        for name, chosen in _JOURNALS.items():
            self._say(Fact.JOURNAL, f"journal of {name}", f"journalctl {chosen} {since}")

    def _kernel(self) -> None:
        self._say(Fact.KERNEL_LOG, "kernel log about SEV", _KERNEL, LINES)

    def _say(self, fact: Fact, name: str, command: str, *args: object) -> None:
        """Keep what a command says, its complaints too."""
        started = time.monotonic()
        said = self._parts.host.run(command, *args, check=False, reads=True, quiet=True)
        told = f"{said.stdout}{said.stderr}".strip()
        seconds = time.monotonic() - started
        self._record.evidence(name, told or f"(nothing, in {seconds:.1f} s)", fact=fact)
