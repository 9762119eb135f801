"""All secrets of one request, and the two forms in which they are sent (0.1.1, src/request.rs)."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Final

from simlab.kbs import rust, uuids
from simlab.kbs.policy import Policy, tenant_default
from simlab.kbs.secrets import bincode_map, secret_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from simlab.kbs.connection import Connection
    from simlab.kbs.keybroker_pb2 import RequestDetails
    from simlab.kbs.store import Store

TABLE_GUID: Final = uuid.UUID("1e74f542-71dd-4d66-963e-ef4287ff173b")
_ENTRY_HEAD: Final = 20
_BLOCK: Final = 16


class Requests:
    """The secrets that a request asks for. Raises RequestError when one has an unknown type."""

    def __init__(self, details: Iterable[RequestDetails]) -> None:
        self._secrets = [secret_of(one) for one in details]

    def policies(self, store: Store) -> list[Policy]:
        """Return every policy that the request touches, the tenant's first."""
        return [tenant_default(), *(policy for secret in self._secrets for policy in secret.policies(store))]

    def table(self, store: Store, connection: Connection) -> bytes:
        """Return the secret table for injection: GUID, length and content, padded to 16 bytes.

        Raises RequestError, DatabaseError or PanicError.
        """
        content = b""
        for secret in self._secrets:
            payload = secret.payload(store, connection)
            try:
                guid = uuids.parse(secret.guid)
            except uuids.UuidError as error:
                raise rust.unwrap_panic(error, "src/request.rs:76:66") from error
            content += _entry(guid, payload)
        table = _entry(TABLE_GUID, content)
        return table.ljust(-(-len(table) // _BLOCK) * _BLOCK, b"\0")

    def map(self, store: Store, connection: Connection) -> bytes:
        """Return the secrets by GUID, in bincode. Raises RequestError, DatabaseError or PanicError."""
        return bincode_map({secret.guid: secret.payload(store, connection) for secret in self._secrets})


def _entry(guid: uuid.UUID, content: bytes) -> bytes:
    return guid.bytes_le + (len(content) + _ENTRY_HEAD).to_bytes(4, "little") + content
