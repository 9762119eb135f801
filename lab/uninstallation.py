"""The guide's uninstallation of the operator, between two pictures of host and cluster (guide: 卸载Operator).

Sources: operator v0.3.0, docs/INSTALL.md and controllers/ccruntime_controller.go; kata-containers CC-0.3.0,
tools/packaging/kata-deploy-cc/scripts/kata-deploy.sh.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lab import picture
from lab.belongings import Belongings, lost_settings, users_of_runtime_classes
from lab.containerd import ContainerdConfiguration
from lab.deadline import Deadline
from lab.debris import FOLDER
from lab.errors import CommandFailed, DeadlineExceeded, NotPermitted, NotProven
from lab.findings import finding
from lab.node_service import wait_until_ready
from lab.operator import NAMESPACE
from lab.provisioning import Mode
from lab.record import Operation

if TYPE_CHECKING:
    from collections.abc import Callable

    from lab.cluster import Cluster
    from lab.host import Host
    from lab.kubectl import Kubectl
    from lab.labfile import LabFile
    from lab.operator import Operator
    from lab.picture import Picture
    from lab.profile import Profile
    from lab.provisioning import Provisioning
    from lab.record import Record
    from lab.worker_nodes import WorkerNodes

CLAUSE = "O-4.1"
# What it does to a host: the operator goes and comes again, and containerd is restarted.
PERMISSIONS = ("uninstall", "containerd", "operator")
# Seconds between two looks whether a deletion can still come about.
LOOK_EVERY = 15.0
# How many of a list a finding names; the whole of it is evidence.
SHOWN = 5


@dataclass(frozen=True)
class Outcome:
    """What an uninstallation did.

    `stuck` says what of it did not end, `kept` what it should have removed, `left` what else it left on the
    host, `harmed` what others lost, and `lost` what containerd was told by others.
    """

    before: Picture
    after: Picture
    stuck: list[str]
    kept: list[str]
    left: list[str]
    harmed: list[str]
    lost: list[str]


class Uninstallation:
    """The operator's uninstallation on one lab; `outcome` is that of the newest one in this run."""

    def __init__(
        self,
        *,
        lab: LabFile,
        profile: Profile,
        host: Host,
        cluster: Cluster,
        nodes: WorkerNodes,
        operator: Operator,
        kubectl: Kubectl,
        provisioning: Provisioning,
        look: Callable[[], None],
        record: Record,
    ) -> None:
        """`look` looks at all of the guide's lasting changes: what holds before it, it is that undoes it."""
        self._lab = lab
        self._release = profile.operator
        self._belongings = Belongings(profile)
        self._host = host
        self._cluster = cluster
        self._nodes = nodes
        self._operator = operator
        self._kubectl = kubectl
        self._provisioning = provisioning
        self._look = look
        self._record = record
        self._folders = self._belongings.folders
        self.outcome: Outcome | None = None

    def require_allowed(self) -> None:
        """Raise NotProven where it may not be done, or would harm others."""
        if self._provisioning.mode is not Mode.APPLY:
            raise NotProven(
                f"uninstalling the operator changes the lab, and provisioning is {self._provisioning.mode}"
            )
        for permission in PERMISSIONS:
            if not getattr(self._lab.permissions, permission):
                raise NotPermitted(permission, "uninstalling the operator and installing it again")
        if faults := self._operator.installation_faults():
            raise NotProven(f"the operator is not installed: {'; '.join(faults)}", owner="O-3.1")
        if faults := self._operator.pod_faults():
            raise NotProven(f"the operator does not run: {'; '.join(faults)}", owner="O-2.3")
        if users := users_of_runtime_classes(self._cluster):
            raise NotProven(
                f"uninstalling the operator would take their runtime from pods of others: {', '.join(users)}"
            )
        if strangers := self._belongings.strangers(self._cluster):
            raise NotProven(
                f"uninstalling the operator deletes the namespace {NAMESPACE} with what others have in it: "
                f"{', '.join(strangers)}"
            )

    def perform(self) -> Outcome:
        """Uninstall as the guide does, and compare. Raises NotProven, see `require_allowed`."""
        self.require_allowed()
        mine = self._belongings.objects(self._cluster)
        before, configured = self._take(), ContainerdConfiguration.read(self._host)
        self._look()
        self._provisioning.undo()
        started = time.monotonic()
        stuck = self._delete()
        after, configuration = self._take(), ContainerdConfiguration.read(self._host)
        files = self._belongings.still_there(after.files)
        runtimes = self._belongings.handlers(configuration.runtimes if configuration else ())
        self.outcome = Outcome(
            before=before,
            after=after,
            stuck=stuck,
            kept=[
                *(name for name in mine if name in after.objects),
                *self._belongings.labels_in(after.labels),
                *(f"the runtime {name} in containerd's configuration" for name in runtimes),
                *files.kept,
            ],
            left=files.left,
            harmed=self._belongings.harmed(before, after, mine),
            lost=lost_settings(configured, configuration, self._belongings),
        )
        self._enter(self.outcome, started)
        return self.outcome

    def tell_left_behind(self) -> None:
        """Tell what it left on the host, and what it took of others' with it."""
        outcome = self.require_performed()
        debris = [path for path in outcome.after.files if path.startswith(f"{FOLDER}/")]
        self._tell("uninstallation-leaves-files", outcome.left)
        self._tell("uninstallation-leaves-sessions", debris)
        self._tell("uninstallation-loses-edits", outcome.lost)

    @property
    def lasts(self) -> bool:
        """Whether the operator was uninstalled in this run, as far as it went, and not installed since."""
        if self.outcome is None:
            return False
        return bool(self.outcome.stuck) or not (self._operator.runtimes() or self._operator.deployment())

    def require_performed(self) -> Outcome:
        """What it did in this run. Raises NotProven where there was none, or it left the operator there."""
        if self.outcome is None:
            raise NotProven("the operator was not uninstalled in this run", owner=CLAUSE)
        if self.outcome.stuck:
            raise NotProven(f"the uninstallation did not end: {self.outcome.stuck[0]}", owner=CLAUSE)
        return self.outcome

    def tell_replaced(self) -> None:
        """Tell which files of the release were others' before, and are the stock ones again."""
        before, now = self.require_performed().before.files, self._take().files
        replaced = [
            path
            for path, what in before.items()
            if self._belongings.is_installed(path) and what != now.get(path, what)
        ]
        self._tell("installation-brings-stock-files", replaced, clause="O-4.2")

    # Deleting

    def _delete(self) -> list[str]:
        """Both of the guide's commands, each with its end; what does not end is returned."""
        release, runtime = self._release.release, self._release.ccruntime
        sources = self._lab.sources
        deadline = Deadline(self._lab.timeouts.runtime_installed)
        names = [each["metadata"]["name"] for each in self._operator.runtimes()]
        try:
            self._kubectl.delete(sources.ccruntime or runtime)
            for name in names:
                self._wait_until_gone("CcRuntime", name, None, deadline)
            # What the operator does after it took off the finalizer. With its account gone, neither the
            # hooks of its daemons' pods nor itself could take the nodes' labels off any more.
            cleaned = Deadline(min(self._lab.timeouts.pod_deleted, deadline.remaining))
            for item in self._operator.daemon_objects():
                name = item["metadata"]["name"]
                self._operator.wait_until_gone(item["kind"], name, NAMESPACE, cleaned)
            self._belongings.wait_until_unlabelled(self._cluster, self._nodes.all(), cleaned)
        except (DeadlineExceeded, CommandFailed) as error:
            return [str(error)]
        try:
            self._kubectl.delete(sources.operator or release)
            for kind, name in self._operator.being_deleted():
                self._wait_until_gone(kind, name, None, deadline)
            wait_until_ready(
                self._cluster, self._nodes.sev_host().name, Deadline(self._lab.timeouts.node_ready)
            )
        except (DeadlineExceeded, CommandFailed) as error:
            return [str(error)]
        return []

    def _wait_until_gone(self, kind: str, name: str, namespace: str | None, deadline: Deadline) -> None:
        """Wait for a deletion; no longer than it can come about."""
        hopeless = None
        while True:
            try:
                self._operator.wait_until_gone(kind, name, namespace, Deadline(deadline.cap(LOOK_EVERY)))
            except DeadlineExceeded as error:
                was, hopeless = hopeless, self._operator.hindrance()
                if deadline.expired or (was and hopeless):
                    raise DeadlineExceeded(f"{error}{f'; {hopeless}' if hopeless else ''}") from None
            else:
                return

    # Telling

    def _take(self) -> Picture:
        return picture.take(self._host, self._cluster, self._folders, Deadline(self._lab.timeouts.download))

    def _enter(self, outcome: Outcome, started: float) -> None:
        self._record.evidence("before the uninstallation", outcome.before.everything)
        self._record.evidence("after the uninstallation", outcome.after.everything)
        changed = picture.differences(outcome.before.everything, outcome.after.everything)
        self._record.evidence("what the uninstallation changed", "\n".join(changed))
        self._record.operation(
            Operation(
                name="uninstall the operator",
                looked_at="host and cluster, before and after",
                before="installed on every node",
                after="; ".join(outcome.stuck) or f"uninstalled, which changed {len(changed)} things",
                changed=False,
                verified_by="comparing pictures of host and cluster",
                undone_by="installing it again, as clause O-4.2 does",
                kind="borrowed",
                seconds=time.monotonic() - started,
            )
        )

    def _tell(self, name: str, found: list[str], *, clause: str = CLAUSE) -> None:
        if found:
            more = f", and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
            told = finding(name, f"{', '.join(found[:SHOWN])}{more}", clause)
            self._record.evidence(told.title, "\n".join(found))
            self._record.finding(told)
