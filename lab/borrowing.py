"""Borrowed state: what a scenario needs for itself, and gives back whatever happens.

Each kind of loan has one way to take it, here, and one way to give it back, in `giving_back`; the second
needs nothing but the journal's entry, so that a later run can do it.
"""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING, Any

from lab.errors import LabError, NotPermitted, Unreachable
from lab.giving_back import RUN_LABEL
from lab.journal import STATE, Entry, Journal
from lab.kbs.rows import Keyset, written
from lab.loan_words import given_back, name_of, not_given_back, to_give_back
from lab.node import Node, repository_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from lab.cluster import Cluster
    from lab.giving_back import GivingBack
    from lab.host import Host
    from lab.kbs.database import Damage, KbsDatabase, Policy
    from lab.labfile import Permissions
    from lab.record import Record
    from lab.secret import Secret


class Borrowing:
    """Loans of one scenario, given back in reverse order by `give_back`."""

    def __init__(
        self,
        *,
        host: Host,
        cluster: Cluster,
        database: Callable[[], KbsDatabase],
        permissions: Permissions,
        giving_back: GivingBack,
        journal: Journal,
        record: Record,
    ) -> None:
        self._host = host
        self._cluster = cluster
        self._database = database
        self._permissions = permissions
        self._giving_back = giving_back
        self._journal = journal
        self._record = record
        self._loans: list[Entry] = []

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
        if not self._permissions.node_configuration:
            raise NotPermitted("node_configuration", f"writing {path} on the node")
        backup = f"{STATE}/backup/{self._journal.run}{path}"
        self._take("file", path=path, backup=backup, sha256=self._host.sha256(path))
        self._host.make_directory(posixpath.dirname(backup), mode=0o700)
        part = f"{backup}.part"
        self._host.run("cp --archive --reflink=auto -- %s %s && mv -- %s %s", path, part, part, backup)

    def new_file(self, path: str, data: bytes) -> None:
        """Make a file of the suite's own, in a folder of its own."""
        self._take("new-file", path=path)
        self._host.make_directory(posixpath.dirname(path), mode=0o755)
        self._host.write_file(path, data, mode=0o644)

    def pod(self, manifest: dict[str, Any]) -> dict[str, Any]:
        """Create a pod that carries the run's label."""
        metadata = manifest["metadata"]
        metadata.setdefault("labels", {})[RUN_LABEL] = self._journal.run
        self._take("pod", namespace=metadata["namespace"], name=metadata["name"])
        return self._cluster.create(manifest)

    def host_image(self, reference: str) -> None:
        """An image that the host should not have is about to be asked for: should it come, it goes again."""
        repository = repository_of(reference)
        self._take("host-image", repository=repository, before=Node(self._host).image_ids())

    def policy(self, policy: Policy) -> int:
        """Insert a policy row, read it back, and return its id. Needs a permission."""
        self._permit_policies("inserting a policy")
        database = self._database()
        self._take("policy", above=database.last_policy_id(), policy=written(policy))
        number = database.insert_policy(policy)
        self._loans[-1] = self._journal.amend(self._loans[-1], id=number)
        stored = database.policy(number)
        if stored != policy:
            raise LabError(f"the database gives policy {number} back as {stored}, not as written: {policy}")
        return number

    def damage_policy(self, policy_id: int, damage: Damage) -> None:
        """Break a policy that this scenario inserted."""
        place = next(
            place
            for place, loan in enumerate(self._loans)
            if loan.kind == "policy" and loan.details.get("id") == policy_id
        )
        self._loans[place] = self._journal.amend(self._loans[place], damaged=True)
        self._database().damage_policy(policy_id, damage)

    def secret(self, secret_id: str) -> None:
        """Add a key of the suite's own, which the database makes up. Needs a permission."""
        self._permit_policies(f"adding the secret {secret_id}")
        self._take("secret", secret=secret_id)
        self._database().make_secret(secret_id)

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
        """Add a keyset of the suite's own, and read it back."""
        self._permit_policies(f"adding the keyset {keyset_id}")
        self._take("keyset", keyset=keyset_id)
        database = self._database()
        database.insert_keyset(keyset_id, keys, policy_id)
        stored, written_as = database.keyset(keyset_id), Keyset(keyset_id, tuple(keys), policy_id)
        if stored != written_as:
            raise LabError(f"the database gives {keyset_id} back as {stored}, not as written: {written_as}")

    def secrets(self, values: Mapping[str, Secret]) -> None:
        """Add secrets of the suite's own, each base64. Their values are in no journal."""
        self._permit_policies("adding keys of the suite's own")
        self._take("secrets", secrets=list(values))
        self._database().insert_secrets(values)

    def image(self, repository: str, digest: str) -> None:
        """An image of the suite's own is about to be pushed: delete it afterwards."""
        self._take("image", repository=repository, digest=digest)

    def connections_of(self, digest: str) -> None:
        """The KBS's records of launches with this digest are the suite's own: remove them afterwards."""
        if not any(loan.kind == "connections" and loan.details["digest"] == digest for loan in self._loans):
            self._take("connections", digest=digest)

    # Giving back

    def give_back(self) -> None:
        """Undo every loan, newest first.

        Raises LabError with all that could not be given back, Unreachable where the way there was lost.
        """
        self._return(list(reversed(self._loans)))
        self._loans.clear()

    def tell_leftovers(self) -> None:
        """Enter in the ledger what killed runs left and a run that changes things would give back."""
        for loan in self._journal.leftovers():
            self._record.operation(to_give_back(loan))

    def restore(self) -> int:
        """Give back what killed runs left, and return how many loans that were."""
        leftovers = self._journal.leftovers()
        self._return(leftovers)
        return len(leftovers)

    def _take(self, kind: str, **details: Any) -> None:
        self._loans.append(self._journal.note(kind, **details))

    def _return(self, loans: list[Entry]) -> None:
        problems, lost = [], None
        for loan in loans:
            try:
                after = self._giving_back.give_back(loan)
            except LabError as error:
                lost = lost or (error if isinstance(error, Unreachable) else None)
                problems.append(f"{loan.kind} {name_of(loan)}: {error}")
                self._record.operation(not_given_back(loan, str(error)))
                continue
            self._journal.settle(loan)
            self._record.operation(given_back(loan, after))
        if problems:
            told = "not given back, the next run tries again: " + "; ".join(problems)
            raise Unreachable(lost.service, f"{lost.cause}; {told}") if lost else LabError(told)

    def _permit_policies(self, what: str) -> None:
        if not self._permissions.kbs_policies:
            raise NotPermitted("kbs_policies", what)
