"""Borrowed state: what a scenario needs for itself, and gives back whatever happens.

Each kind of loan has one way to take it and one way to give it back; the second needs nothing but the
journal's entry, so that a later run can do it.
"""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING, Any

from lab.errors import LabError, NotPermitted
from lab.journal import STATE, Entry, Journal
from lab.record import Operation

if TYPE_CHECKING:
    from collections.abc import Callable

    from lab.cluster import Cluster
    from lab.host import Host
    from lab.kbs.database import KbsDatabase, Policy
    from lab.labfile import LabFile
    from lab.launches import Launches
    from lab.record import Record

RUN_LABEL = "sev-conformance/run"


class Borrowing:
    """Loans of one scenario, given back in reverse order by `give_back`."""

    def __init__(
        self,
        *,
        lab: LabFile,
        host: Host,
        cluster: Cluster,
        database: Callable[[], KbsDatabase],
        launches: Launches,
        journal: Journal,
        record: Record,
    ) -> None:
        self._lab = lab
        self._host = host
        self._cluster = cluster
        self._database = database
        self._launches = launches
        self._journal = journal
        self._record = record
        self._loans: list[Entry] = []
        self._undo: dict[str, Callable[[Entry], str]] = {
            "file": self._undo_file,
            "new-file": self._undo_new_file,
            "pod": self._undo_pod,
            "secret-policy": self._undo_secret_policy,
            "keyset-policy": self._undo_keyset_policy,
            "policy": self._undo_policy,
            "keyset": self._undo_keyset,
            "connections": self._undo_connections,
        }

    # Taking

    def node_file(self, path: str, data: bytes) -> None:
        """Put `data` in the place of a file of the node's that others use too. Needs a permission."""
        self._back_up(path)
        self._host.write_file(path, data)

    def node_file_from(self, path: str, source: str) -> None:
        """Put a copy of another file of the host there: an initrd is too big to go by the runner."""
        self._back_up(path)
        self._host.copy_file(source, path)

    def _back_up(self, path: str) -> None:
        if not self._lab.permissions.node_configuration:
            raise NotPermitted("node_configuration", f"writing {path} on the node")
        backup = f"{STATE}/backup/{self._journal.run}{path}"
        self._host.make_directory(posixpath.dirname(backup), mode=0o700)
        self._take("file", path=path, backup=backup, sha256=self._host.sha256(path))
        part = f"{backup}.part"
        self._host.run("cp --archive --reflink=auto -- %s %s && mv -- %s %s", path, part, part, backup)

    def new_file(self, path: str, data: bytes) -> None:
        """Make a file of the suite's own, in a folder of its own."""
        self._host.make_directory(posixpath.dirname(path), mode=0o755)
        self._take("new-file", path=path)
        self._host.write_file(path, data, mode=0o644)

    def pod(self, manifest: dict[str, Any]) -> dict[str, Any]:
        """Create a pod that carries the run's label."""
        metadata = manifest["metadata"]
        metadata.setdefault("labels", {})[RUN_LABEL] = self._journal.run
        self._take("pod", namespace=metadata["namespace"], name=metadata["name"])
        return self._cluster.create(manifest)

    def policy(self, policy: Policy) -> int:
        """Insert a policy row, read it back, and return its id. Needs a permission."""
        self._permit_policies("inserting a policy")
        database = self._database()
        self._take("policy", above=database.last_policy_id(), digests=list(policy.allowed_digests))
        number = database.insert_policy(policy)
        self._loans[-1] = self._journal.amend(self._loans[-1], id=number)
        stored = database.policy(number)
        if stored != policy:
            raise LabError(f"the database gives policy {number} back as {stored}, not as written: {policy}")
        return number

    def policy_on_secret(self, secret_id: str, policy_id: int | None) -> None:
        """Hold a secret to a policy (or to none). Needs a permission."""
        self._permit_policies(f"changing the policy of {secret_id}")
        database = self._database()
        self._take("secret-policy", secret=secret_id, policy=database.policy_of_secret(secret_id))
        database.set_secret_policy(secret_id, policy_id)

    def policy_on_keyset(self, keyset_id: str, policy_id: int | None) -> None:
        """Hold a keyset of others to a policy (or to none). Needs a permission."""
        self._permit_policies(f"changing the policy of {keyset_id}")
        database = self._database()
        keyset = database.keyset(keyset_id)
        if keyset is None:
            raise LabError(f"the KBS's database has no keyset {keyset_id}")
        self._take("keyset-policy", keyset=keyset_id, policy=keyset.policy_id)
        database.set_keyset_policy(keyset_id, policy_id)

    def keyset(self, keyset_id: str, keys: list[str], policy_id: int | None) -> None:
        """Add a keyset of the suite's own."""
        self._permit_policies(f"adding the keyset {keyset_id}")
        self._take("keyset", keyset=keyset_id)
        self._database().insert_keyset(keyset_id, keys, policy_id)

    def connections_of(self, digest: str) -> None:
        """The KBS's records of launches with this digest are the suite's own: remove them afterwards."""
        if not any(loan.kind == "connections" and loan.details["digest"] == digest for loan in self._loans):
            self._take("connections", digest=digest)

    # Giving back

    def give_back(self) -> None:
        """Undo every loan, newest first. Raises LabError with all that could not be given back."""
        self._return(list(reversed(self._loans)))
        self._loans.clear()

    def restore(self) -> int:
        """Give back what killed runs left, and return how many loans that were."""
        leftovers = self._journal.leftovers()
        self._return(leftovers)
        return len(leftovers)

    def _take(self, kind: str, **details: Any) -> None:
        self._loans.append(self._journal.note(kind, **details))

    def _return(self, loans: list[Entry]) -> None:
        problems = []
        for loan in loans:
            undo = self._undo.get(loan.kind)
            if undo is None:
                problems.append(f"{loan.path}: this suite does not know how to give back a {loan.kind!r}")
                continue
            try:
                after = undo(loan)
            except LabError as error:
                problems.append(f"{loan.kind} {_name(loan)}: {error}")
                continue
            self._journal.settle(loan)
            self._record.operation(
                Operation(
                    name=f"borrow {loan.kind} {_name(loan)}",
                    looked_at=f"{loan.kind} {_name(loan)}",
                    before="as found",
                    after=after,
                    changed=False,
                    verified_by="looked at again",
                    undone_by="already given back",
                    kind="borrowed",
                )
            )
        if problems:
            raise LabError("not given back, the next run tries again: " + "; ".join(problems))

    def _permit_policies(self, what: str) -> None:
        if not self._lab.permissions.kbs_policies:
            raise NotPermitted("kbs_policies", what)

    def _undo_file(self, loan: Entry) -> str:
        details = loan.details
        path, backup = details["path"], details["backup"]
        if not self._is(path, details["sha256"]) and self._host.exists(backup):
            copy = f"{path}.sev-conformance"
            self._host.run("cp --archive -- %s %s && mv --force -- %s %s", backup, copy, copy, path)
        if not self._is(path, details["sha256"]):
            raise LabError(f"{path} on the host is not what it was, and its backup {backup} is not either")
        self._host.remove_file(backup)
        self._host.remove_file(f"{backup}.part")
        self._remove_torn(path)
        return "as found, checksum compared"

    def _is(self, path: str, sha256: str) -> bool:
        return self._host.exists(path) and self._host.sha256(path) == sha256

    def _undo_new_file(self, loan: Entry) -> str:
        details = loan.details
        self._host.remove_file(details["path"])
        self._remove_torn(details["path"])
        return "removed"

    def _remove_torn(self, path: str) -> None:
        """Remove what a write that was killed left beside its target (see Host.write_file)."""
        folder, name = posixpath.split(path)
        self._host.run("rm --force -- %s/.%s.*.new", folder, name, quiet=True)

    def _undo_pod(self, loan: Entry) -> str:
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
            self._cluster.delete("Pod", name, namespace, uid, deadline=self._lab.timeouts.pod_deleted)
        if digest is not None:
            self._database().delete_connections(digest)
        return "deleted"

    def _undo_secret_policy(self, loan: Entry) -> str:
        details = loan.details
        database = self._database()
        database.set_secret_policy(details["secret"], details["policy"])
        if database.policy_of_secret(details["secret"]) != details["policy"]:
            raise LabError(f"the policy of {details['secret']} is not {details['policy']} again")
        return f"policy {details['policy']}, as found"

    def _undo_keyset_policy(self, loan: Entry) -> str:
        details = loan.details
        database = self._database()
        database.set_keyset_policy(details["keyset"], details["policy"])
        keyset = database.keyset(details["keyset"])
        if keyset is None or keyset.policy_id != details["policy"]:
            raise LabError(f"the policy of {details['keyset']} is not {details['policy']} again")
        return f"policy {details['policy']}, as found"

    def _undo_policy(self, loan: Entry) -> str:
        details = loan.details
        database = self._database()
        ids = [details["id"]] if "id" in details else database.policy_ids(above=details["above"])
        for number in ids:
            policy = database.policy(number)
            if policy is not None and list(policy.allowed_digests) == details["digests"]:
                database.delete_policy(number)
        return "deleted"

    def _undo_keyset(self, loan: Entry) -> str:
        details = loan.details
        self._database().delete_keyset(details["keyset"])
        return "deleted"

    def _undo_connections(self, loan: Entry) -> str:
        details = loan.details
        count = self._database().delete_connections(details["digest"])
        return f"{count} deleted"


def _name(loan: Entry) -> str:
    details = loan.details
    for key in ("path", "name", "secret", "keyset", "digest", "id"):
        if key in details:
            return str(details[key])
    return f"{loan.run}-{loan.number}"
