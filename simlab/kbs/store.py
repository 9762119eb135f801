"""What simple-kbs keeps in its database (0.1.1, src/db.rs): each function is one of its queries."""

from __future__ import annotations

import os
import uuid
from typing import TYPE_CHECKING, Final

from simlab.kbs import strict_base64
from simlab.kbs.connection import Connection
from simlab.kbs.policy import Policy
from simlab.kbs.pool import DatabaseError, Pool, integer, text
from simlab.kbs.serde import JsonError, number_list, string_list

if TYPE_CHECKING:
    import threading

_SYMKEY_SIZE: Final = 32
_U32: Final = 1 << 32


class Store:
    """The database for the time of one request, which ends when its client is gone.

    All methods raise DatabaseError, and CancelledError.
    """

    def __init__(self, pool: Pool, cancelled: threading.Event) -> None:
        self._pool = pool
        self._cancelled = cancelled

    def insert_connection(self, connection: Connection) -> tuple[uuid.UUID, str]:
        """Remember a launch under a new id with a new symmetric key (base64); returns both."""
        identifier = uuid.uuid4()
        symkey = strict_base64.encode(self.new_symkey())
        self._pool.execute(
            self._cancelled,
            "INSERT INTO conn_bundle (id, policy, fw_api_major, fw_api_minor, fw_build_id,"
            " launch_description, fw_digest, symkey, create_date)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, NOW())",
            str(identifier),
            connection.policy,
            connection.fw_api_major,
            connection.fw_api_minor,
            connection.fw_build_id,
            connection.launch_description,
            connection.fw_digest,
            symkey,
        )
        return identifier, symkey

    def new_symkey(self) -> bytes:
        """Make the symmetric key of a connection."""
        return os.urandom(_SYMKEY_SIZE)

    def connection(self, identifier: uuid.UUID) -> tuple[Connection, str]:
        """Return a launch and its symmetric key."""
        row = self._pool.fetch_one(
            self._cancelled,
            "SELECT policy, fw_api_major, fw_api_minor, fw_build_id, launch_description, fw_digest, symkey"
            " FROM conn_bundle WHERE id = %s",
            str(identifier),
        )
        policy, major, minor, build = (integer(row, column, 32) % _U32 for column in range(4))
        return Connection(policy, major, minor, build, text(row, 4), text(row, 5)), text(row, 6)

    def secret(self, secret_id: str) -> str:
        """Return a secret as it stands in its row."""
        statement = "SELECT secret FROM secrets WHERE secret_id = %s"
        return text(self._pool.fetch_one(self._cancelled, statement, secret_id), 0)

    def keyset(self, keyset_id: str) -> list[str]:
        """Return the ids of a keyset's secrets."""
        statement = "SELECT kskeys FROM keysets WHERE keysetid = %s"
        value = text(self._pool.fetch_one(self._cancelled, statement, keyset_id), 0)
        try:
            return string_list(value)
        except JsonError as error:
            raise DatabaseError(str(error)) from error

    def report_keypair(self, key_id: str) -> str:
        """Return a key pair in PKCS #8, base64."""
        statement = "SELECT keypair FROM report_keypair WHERE key_id = %s"
        return text(self._pool.fetch_one(self._cancelled, statement, key_id), 0)

    def resource_path(self, resource_type: str) -> str:
        """Return the file of the first resource of a type."""
        statement = "SELECT resource_path FROM resources WHERE resource_type = %s LIMIT 1"
        return text(self._pool.fetch_one(self._cancelled, statement, resource_type), 0)

    def secret_policy(self, secret_id: str) -> Policy | None:
        """Return a secret's policy, None when its `polid` is NULL or no number."""
        return self._nullable_policy("SELECT polid FROM secrets WHERE secret_id = %s", secret_id)

    def keyset_policy(self, keyset_id: str) -> Policy | None:
        """Return a keyset's policy, None when its `polid` is NULL or no number."""
        return self._nullable_policy("SELECT polid FROM keysets WHERE keysetid = %s", keyset_id)

    def report_policy(self, key_id: str) -> Policy | None:
        """Return a key pair's policy, None when there is no such key pair or its `polid` is NULL."""
        return self._optional_policy(
            "SELECT polid FROM report_keypair WHERE key_id = %s AND polid IS NOT NULL", key_id
        )

    def resource_policy(self, resource_type: str) -> Policy | None:
        """Return the policy of the first resource of a type that has one."""
        return self._optional_policy(
            "SELECT polid FROM resources WHERE resource_type = %s AND polid IS NOT NULL LIMIT 1",
            resource_type,
        )

    def _nullable_policy(self, statement: str, name: str) -> Policy | None:
        row = self._pool.fetch_one(self._cancelled, statement, name)
        try:
            identifier = integer(row, 0, 64)
        except DatabaseError:
            return None
        return self._policy(identifier)

    def _optional_policy(self, statement: str, name: str) -> Policy | None:
        row = self._pool.fetch_optional(self._cancelled, statement, name)
        return None if row is None else self._policy(integer(row, 0, 64))

    def _policy(self, identifier: int) -> Policy:
        row = self._pool.fetch_one(
            self._cancelled,
            "SELECT allowed_digests, allowed_policies, min_fw_api_major, min_fw_api_minor, allowed_build_ids"
            " FROM policy WHERE id = %s AND valid = 1",
            identifier,
        )
        try:
            return Policy(
                allowed_digests=string_list(text(row, 0)),
                allowed_policies=number_list(text(row, 1)),
                min_fw_api_major=integer(row, 2, 32) % _U32,
                min_fw_api_minor=integer(row, 3, 32) % _U32,
                allowed_build_ids=number_list(text(row, 4)),
            )
        except JsonError as error:
            raise DatabaseError(str(error)) from error
