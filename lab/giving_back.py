"""How each kind of borrowed thing is given back, from nothing but the journal's entry."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.errors import LabError, MalformedRow
from lab.kbs.rows import written
from lab.node import Node

if TYPE_CHECKING:
    from collections.abc import Callable

    from lab.cluster import Cluster
    from lab.guest_registry import GuestRegistry
    from lab.host import Host
    from lab.journal import Entry, Journal
    from lab.kbs.database import KbsDatabase
    from lab.launches import Launches

RUN_LABEL = "sev-conformance/run"


class GivingBack:
    """Gives single loans back. Each way may be gone a second time: a run may be killed in the middle."""

    def __init__(
        self,
        *,
        host: Host,
        cluster: Cluster,
        database: Callable[[], KbsDatabase],
        launches: Launches,
        guest_registry: GuestRegistry,
        journal: Journal,
        pod_seconds: float,
    ) -> None:
        self._host = host
        self._cluster = cluster
        self._database = database
        self._launches = launches
        self._guest_registry = guest_registry
        self._journal = journal
        self._pod_seconds = pod_seconds
        self._ways: dict[str, Callable[[Entry], str]] = {
            "file": self._file,
            "new-file": self._new_file,
            "pod": self._pod,
            "secret": self._secret,
            "secret-policy": self._secret_policy,
            "keyset-policy": self._keyset_policy,
            "policy": self._policy,
            "keyset": self._keyset,
            "secrets": self._secrets,
            "image": self._image,
            "host-image": self._host_image,
            "connections": self._connections,
        }

    def give_back(self, loan: Entry) -> str:
        """Give one loan back and say how it is now.

        Raises LabError where it cannot be given back, or this suite does not know its kind.
        """
        way = self._ways.get(loan.kind)
        if way is None:
            raise LabError(f"{loan.path} on the host: this suite does not know how to give that back")
        return way(loan)

    def _file(self, loan: Entry) -> str:
        details = loan.details
        path, backup = details["path"], details["backup"]
        if not self._is(path, details["sha256"]) and self._host.exists(backup):
            copy = f"{path}.sev-conformance"
            self._host.run("cp --archive -- %s %s && mv --force -- %s %s", backup, copy, copy, path)
        if not self._is(path, details["sha256"]):
            raise LabError(f"{path} on the host is not what it was, and its backup {backup} is not either")
        self._host.remove_file(backup)
        self._host.remove_file(f"{backup}.part")
        self._host.remove_torn(path)
        return "as found"

    def _is(self, path: str, sha256: str) -> bool:
        return self._host.exists(path) and self._host.sha256(path) == sha256

    def _new_file(self, loan: Entry) -> str:
        details = loan.details
        self._host.remove_file(details["path"])
        self._host.remove_torn(details["path"])
        return "removed"

    def _pod(self, loan: Entry) -> str:
        namespace, name = loan.details["namespace"], loan.details["name"]
        pod = self._cluster.get("Pod", name, namespace)
        digest = loan.details.get("digest")
        if pod is not None:
            if RUN_LABEL not in pod["metadata"].get("labels", {}):
                raise LabError(f"the pod {namespace}/{name} is not the suite's: it lacks {RUN_LABEL}")
            uid = pod["metadata"]["uid"]
            if launch := self._launches.of(namespace, name, uid):
                # An online launch leaves a row that names no pod, but a digest that is this pod's alone.
                digest = launch.digest
                self._journal.amend(loan, digest=digest)
            self._cluster.delete("Pod", name, namespace, uid, deadline=self._pod_seconds)
        if digest is not None:
            self._database().delete_connections(digest)
        return "deleted"

    def _secret(self, loan: Entry) -> str:
        self._database().delete_secret(loan.details["secret"])
        return "deleted"

    def _secret_policy(self, loan: Entry) -> str:
        details = loan.details
        database = self._database()
        database.set_secret_policy(details["secret"], details["policy"])
        if database.policy_of_secret(details["secret"]) != details["policy"]:
            raise LabError(f"the policy of {details['secret']} is not {details['policy']} again")
        return "as found"

    def _keyset_policy(self, loan: Entry) -> str:
        details = loan.details
        database = self._database()
        database.set_keyset_policy(details["keyset"], details["policy"])
        keyset = database.keyset(details["keyset"])
        if keyset is None or keyset.policy_id != details["policy"]:
            raise LabError(f"the policy of {details['keyset']} is not {details['policy']} again")
        return "as found"

    def _policy(self, loan: Entry) -> str:
        details = loan.details
        database = self._database()
        if details.get("damaged"):
            database.delete_policy(details["id"])
            return "deleted"
        ids = [details["id"]] if "id" in details else database.policy_ids(above=details["above"])
        for number in ids:
            try:
                policy = database.policy(number)
            except MalformedRow:
                continue  # somebody else's
            if policy is not None and written(policy) == details["policy"]:
                database.delete_policy(number)
        return "deleted"

    def _keyset(self, loan: Entry) -> str:
        details = loan.details
        self._database().delete_keyset(details["keyset"])
        return "deleted"

    def _secrets(self, loan: Entry) -> str:
        for secret_id in loan.details["secrets"]:
            self._database().delete_secret(secret_id)
        return "deleted"

    def _image(self, loan: Entry) -> str:
        return self._guest_registry.delete(loan.details["repository"], loan.details["digest"])

    def _host_image(self, loan: Entry) -> str:
        details = loan.details
        removed = Node(self._host).remove_images(details["repository"], but=details["before"])
        return f"removed {', '.join(removed)}" if removed else "as found"

    def _connections(self, loan: Entry) -> str:
        details = loan.details
        count = self._database().delete_connections(details["digest"])
        return f"{count} deleted"
