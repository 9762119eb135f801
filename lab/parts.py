"""The parts of one lab, as a run of the suite reaches them, and what it holds there."""

from __future__ import annotations

from contextlib import ExitStack
from functools import cached_property
from typing import TYPE_CHECKING, Self

from lab.borrowing import Borrowing
from lab.broker import Broker
from lab.cluster import Cluster
from lab.giving_back import GivingBack
from lab.guest_registry import GuestRegistry
from lab.host import Host
from lab.launches import Launches
from lab.loading import resolve
from lab.lock import HostLock
from lab.node import Node
from lab.registry_http import Login
from lab.secret import Secret

if TYPE_CHECKING:
    from lab.journal import Journal
    from lab.labfile import LabFile
    from lab.profile import Profile
    from lab.record import Record
    from lab.secret import Redactor


class Parts:
    """Each part is opened when it is first asked for, and all are closed by `close`, the last one first."""

    def __init__(
        self, *, lab: LabFile, profile: Profile, run: str, record: Record, redactor: Redactor
    ) -> None:
        self._lab = lab
        self._profile = profile
        self._run = run
        self._record = record
        self._redactor = redactor
        self._ways = ExitStack()

    @cached_property
    def host(self) -> Host:
        """The SEV host, over one SSH connection."""
        host = Host(self._lab, self._record, self._redactor)
        self._ways.callback(host.close)
        return host

    @cached_property
    def cluster(self) -> Cluster:
        """The Kubernetes API, over the host's connection."""
        cluster = Cluster(self._lab, self.host, self._record, self._redactor)
        self._ways.callback(cluster.close)
        return cluster

    @cached_property
    def broker(self) -> Broker:
        """simple-kbs and its database, over the host's connection."""
        password = resolve(self._lab.kbs.database.password)
        self._redactor.learn(password)
        return Broker(
            lab=self._lab,
            profile=self._profile,
            host=self.host,
            password=password,
            open_until=self._ways,
            record=self._record,
        )

    @cached_property
    def node(self) -> Node:
        """Containerd and the processes of the node."""
        return Node(self.host)

    @cached_property
    def launches(self) -> Launches:
        """What running VMs were launched from."""
        return Launches(self.host, self.node)

    @cached_property
    def guest_registry(self) -> GuestRegistry:
        """The registry that guests can pull from, reached from the host."""
        settings, login = self._lab.guest_registry, None
        if settings and settings.user and settings.password:
            password = resolve(settings.password)
            self._redactor.learn(password)
            login = Login(settings.user, password)
            self._redactor.learn(Secret(login.pair))
        return GuestRegistry(
            repository=settings.repository if settings else None,
            login=login,
            host=self.host,
            seconds=self._lab.timeouts.download,
            record=self._record,
        )

    def take_lock(self) -> HostLock:
        """Have the host for this run alone. Raises NotProven where another has it."""
        lock = HostLock(self.host, self._run, seconds=self._lab.timeouts.command)
        self._ways.callback(lock.close)
        return lock

    def borrowing(self, journal: Journal) -> Borrowing:
        """What one scenario borrows, or an earlier run had borrowed."""
        giving_back = GivingBack(
            host=self.host,
            cluster=self.cluster,
            database=lambda: self.broker.database,
            launches=self.launches,
            guest_registry=self.guest_registry,
            journal=journal,
            pod_seconds=self._lab.timeouts.pod_deleted,
        )
        return Borrowing(
            host=self.host,
            cluster=self.cluster,
            database=lambda: self.broker.database,
            permissions=self._lab.permissions,
            giving_back=giving_back,
            journal=journal,
            record=self._record,
        )

    def close(self) -> None:
        """Close what was opened."""
        self._ways.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()
