"""simple-kbs' database: the guide's key and keyset, the policies on them, and the launches it recorded.

Tables: simple-kbs 0.1.1, db-mysql.sql. No statement reads `secrets.secret` or `conn_bundle.symkey`; where
symmetric keys must be compared, the database compares them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lab.errors import LabError, MalformedRow
from lab.exchanged import exchanged
from lab.fact import Fact
from lab.kbs.rows import Connection, Damage, Keyset, Policy, numbers, strings, to_json
from lab.kbs.session import Session
from lab.printable import shortened
from lab.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from lab.host import Host
    from lab.kbs.session import Rows
    from lab.labfile import LabFile
    from lab.record import Record

__all__ = ["Connection", "Damage", "KbsDatabase", "Keyset", "Policy"]

# simple-kbs 0.1.1, db/db-mysql.sql: no key ties secrets.polid to policy.id, and no check wants JSON.
_DAMAGES = {
    Damage.REVOKED: "UPDATE policy SET valid = 0 WHERE id = %s",
    Damage.DELETED: "DELETE FROM policy WHERE id = %s",
    Damage.MALFORMED: "UPDATE policy SET allowed_digests = '[\"' WHERE id = %s",
    Damage.NULL: "UPDATE policy SET allowed_digests = NULL WHERE id = %s",
}


class KbsDatabase:
    """The database at `address`, as the host sees it. Connects when it is first used."""

    def __init__(self, lab: LabFile, host: Host, address: str, password: Secret, *, record: Record) -> None:
        self._record = record
        self._session = Session(lab.kbs.database, address, password, lab.timeouts.connect, host.open_channel)

    def close(self) -> None:
        """Close the connection."""
        self._session.close()

    # Secrets and keysets

    def secret_exists(self, secret_id: str) -> bool:
        """Whether there is a secret of this id."""
        return bool(self._read("SELECT id FROM secrets WHERE secret_id = %s", secret_id))

    def secret_size(self, secret_id: str) -> int | None:
        """How many bytes a secret's base64 stands for, or None where it is none. The secret stays there."""
        statement = "SELECT LENGTH(FROM_BASE64(secret)) AS size FROM secrets WHERE secret_id = %s"
        rows = self._read(statement, secret_id)
        return _optional(rows[0]["size"]) if rows else None

    def secret_is(self, secret_id: str, value: Secret) -> bool:
        """Whether a secret's base64 stands for the same bytes as `value`'s. The secret stays there."""
        statement = "SELECT id FROM secrets WHERE secret_id = %s AND FROM_BASE64(secret) = FROM_BASE64(%s)"
        return bool(self._read(statement, secret_id, value))

    def policy_of_secret(self, secret_id: str) -> int | None:
        """The id of the policy on a secret, or None. Raises LabError where there is no such secret."""
        rows = self._read("SELECT polid FROM secrets WHERE secret_id = %s", secret_id)
        if not rows:
            raise LabError(f"the KBS's database has no secret {secret_id!r}")
        return _optional(rows[0]["polid"])

    def set_secret_policy(self, secret_id: str, policy_id: int | None) -> None:
        """Hold a secret to a policy, or to none. Raises LabError where there is no such secret."""
        if not self._write("UPDATE secrets SET polid = %s WHERE secret_id = %s", policy_id, secret_id):
            raise LabError(f"the KBS's database has no secret {secret_id!r}")

    def make_secret(self, secret_id: str) -> None:
        """Add a key of 32 bytes that the database makes up: nobody else ever sees it.

        Raises LabError where the id is taken.
        """
        statement = (
            "INSERT INTO secrets (secret_id, secret)"
            " VALUES (%s, TO_BASE64(UNHEX(SHA2(CONCAT(UUID(), RAND()), 256))))"
        )
        self._write(statement, secret_id)

    def delete_secret(self, secret_id: str) -> None:
        """Remove a secret; one that is not there is fine."""
        self._write("DELETE FROM secrets WHERE secret_id = %s", secret_id)

    def insert_secrets(self, values: Mapping[str, Secret]) -> None:
        """Add secrets, each base64, without a policy. Raises LabError where an id is taken."""
        marks = ", ".join(["(%s, %s)"] * len(values))
        flat = [part for pair in values.items() for part in pair]
        self._write(f"INSERT INTO secrets (secret_id, secret) VALUES {marks}", *flat)  # noqa: S608 - marks only

    def replace_secret(self, secret_id: str, value: Secret) -> None:
        """Give a secret another value, base64. Raises LabError where there is no such secret."""
        if not self._write("UPDATE secrets SET secret = %s WHERE secret_id = %s", value, secret_id):
            raise LabError(f"the KBS's database has no secret {secret_id!r}")

    def keyset(self, keyset_id: str) -> Keyset | None:
        """A keyset, or None. Raises LabError where its list of keys is malformed."""
        rows = self._read("SELECT keysetid, kskeys, polid FROM keysets WHERE keysetid = %s", keyset_id)
        if not rows:
            return None
        keys = strings(f"keysets.kskeys of {keyset_id}", rows[0]["kskeys"])
        return Keyset(rows[0]["keysetid"], keys, _optional(rows[0]["polid"]))

    def set_keyset_policy(self, keyset_id: str, policy_id: int | None) -> None:
        """Hold a keyset to a policy, or to none. Raises LabError where there is no such keyset."""
        if not self._write("UPDATE keysets SET polid = %s WHERE keysetid = %s", policy_id, keyset_id):
            raise LabError(f"the KBS's database has no keyset {keyset_id!r}")

    def insert_keyset(self, keyset_id: str, keys: Iterable[str], policy_id: int | None) -> None:
        """Add a keyset. Raises LabError where the id is taken."""
        statement = "INSERT INTO keysets (keysetid, kskeys, polid) VALUES (%s, %s, %s)"
        self._write(statement, keyset_id, to_json(tuple(keys)), policy_id)

    def set_keyset_keys(self, keyset_id: str, keys: Iterable[str]) -> None:
        """Have a keyset list these keys. Raises LabError where there is no such keyset."""
        statement = "UPDATE keysets SET kskeys = %s WHERE keysetid = %s"
        if not self._write(statement, to_json(tuple(keys)), keyset_id):
            raise LabError(f"the KBS's database has no keyset {keyset_id!r}")

    def delete_keyset(self, keyset_id: str) -> None:
        """Remove a keyset; one that is not there is fine."""
        self._write("DELETE FROM keysets WHERE keysetid = %s", keyset_id)

    # Policies

    def insert_policy(self, policy: Policy) -> int:
        """Add a valid policy; its id."""
        _, _, number = self._execute(
            "INSERT INTO policy (allowed_digests, allowed_policies, min_fw_api_major, min_fw_api_minor,"
            " allowed_build_ids, create_date, valid) VALUES (%s, %s, %s, %s, %s, NOW(), 1)",
            to_json(policy.allowed_digests),
            to_json(policy.allowed_policies),
            policy.min_fw_api_major,
            policy.min_fw_api_minor,
            to_json(policy.allowed_build_ids),
        )
        return number

    def policy(self, policy_id: int) -> Policy | None:
        """A policy as it is stored, or None. Raises LabError where a list of it is malformed."""
        rows = self._read(
            "SELECT allowed_digests, allowed_policies, min_fw_api_major, min_fw_api_minor,"
            " allowed_build_ids FROM policy WHERE id = %s",
            policy_id,
        )
        if not rows:
            return None
        row, where = rows[0], f"of policy {policy_id}"
        return Policy(
            allowed_digests=strings(f"allowed_digests {where}", row["allowed_digests"]),
            allowed_policies=numbers(f"allowed_policies {where}", row["allowed_policies"]),
            min_fw_api_major=_number(f"min_fw_api_major {where}", row["min_fw_api_major"]),
            min_fw_api_minor=_number(f"min_fw_api_minor {where}", row["min_fw_api_minor"]),
            allowed_build_ids=numbers(f"allowed_build_ids {where}", row["allowed_build_ids"]),
        )

    def policy_is_valid(self, policy_id: int) -> bool:
        """Whether simple-kbs takes the policy as one: it counts only rows with `valid = 1` (src/db.rs)."""
        return bool(self._read("SELECT id FROM policy WHERE id = %s AND valid = 1", policy_id))

    def policy_ids(self, above: int = 0) -> list[int]:
        """The ids of the policies with a higher id than `above`."""
        return [row["id"] for row in self._read("SELECT id FROM policy WHERE id > %s ORDER BY id", above)]

    def last_policy_id(self) -> int:
        """The highest id of a policy, 0 where there is none."""
        return int(self._read("SELECT COALESCE(MAX(id), 0) AS last FROM policy")[0]["last"])

    def damage_policy(self, policy_id: int, damage: Damage) -> None:
        """Break a policy that is in force. Raises LabError where there is no such policy."""
        if not self._write(_DAMAGES[damage], policy_id):
            raise LabError(f"the KBS's database has no policy {policy_id}")

    def delete_policy(self, policy_id: int) -> None:
        """Remove a policy; one that is not there is fine."""
        self._write("DELETE FROM policy WHERE id = %s", policy_id)

    # Launches

    def connections(
        self, fw_digest: str | None = None, since_ids: set[str] | None = None
    ) -> list[Connection]:
        """Recorded launches with this digest (base64), other than `since_ids`, oldest first.

        Within one second their order is not known: simple-kbs stores no more, and its ids are random.
        """
        rows = self._read(
            "SELECT id, policy, fw_api_major, fw_api_minor, fw_build_id, launch_description, fw_digest,"
            " create_date FROM conn_bundle WHERE %s IS NULL OR BINARY fw_digest = %s"
            " ORDER BY create_date, id",
            fw_digest,
            fw_digest,
        )
        return [
            Connection(created=str(row.pop("create_date")), **row)
            for row in rows
            if row["id"] not in (since_ids or ())
        ]

    def recent_connections(self, seconds: int) -> list[Connection]:
        """Launches that were recorded in the last `seconds` by the database's clock, oldest first."""
        rows = self._read(
            "SELECT id, policy, fw_api_major, fw_api_minor, fw_build_id, launch_description, fw_digest,"
            " create_date FROM conn_bundle WHERE create_date >= NOW() - INTERVAL %s SECOND"
            " ORDER BY create_date, id",
            seconds,
        )
        return [Connection(created=str(row.pop("create_date")), **row) for row in rows]

    def connection_ids(self) -> set[str]:
        """The ids of all recorded launches."""
        return {row["id"] for row in self._read("SELECT id FROM conn_bundle")}

    def distinct_symkeys(self, ids: Iterable[str]) -> int:
        """How many different symmetric keys these launches have; the keys stay in the database."""
        wanted = list(ids)
        if not wanted:
            return 0
        marks = ", ".join(["%s"] * len(wanted))
        statement = f"SELECT COUNT(DISTINCT BINARY symkey) AS n FROM conn_bundle WHERE id IN ({marks})"  # noqa: S608 - marks only
        return int(self._read(statement, *wanted)[0]["n"])

    def delete_connections(self, fw_digest: str) -> int:
        """Remove the records of launches with this digest; how many there were."""
        return self._write("DELETE FROM conn_bundle WHERE BINARY fw_digest = %s", fw_digest)

    def _read(self, statement: str, *parameters: Any) -> Rows:
        return self._execute(statement, *parameters)[0]

    def _write(self, statement: str, *parameters: Any) -> int:
        return self._execute(statement, *parameters)[1]

    def _execute(self, statement: str, *parameters: Any) -> tuple[Rows, int, int]:
        sent = [part.reveal() if isinstance(part, Secret) else part for part in parameters]
        asked = {"statement": statement, "parameters": [_plain(part) for part in parameters]}
        with exchanged(self._record.exchange, "sql", asked) as answered:
            rows, matched, made = self._session.execute(statement, sent)
            shown = [{key: _plain(value) for key, value in row.items()} for row in rows]
            answered |= {"rows": shown, "matched": matched}
        self._record.reached("database")
        self._record.evidence(
            f"SQL: {shortened(statement, 80)}",
            {**asked, **answered},
            fact=Fact.SQL,
        )
        return rows, matched, made


def _optional(value: Any) -> int | None:
    return None if value is None else int(value)


def _number(column: str, value: Any) -> int:
    if value is None:
        raise MalformedRow(f"the KBS's database: {column} holds NULL, not a number")
    return int(value)


def _plain(value: Any) -> Any:
    return value if value is None or isinstance(value, int | str) else str(value)
