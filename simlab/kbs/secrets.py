"""The kinds of secret that can be asked for, and what each answers (simple-kbs 0.1.1, src/request.rs)."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from simlab.kbs import rust, strict_base64
from simlab.kbs.policy import Policy, os_error
from simlab.kbs.pool import DatabaseError

if TYPE_CHECKING:
    from collections.abc import Callable

    from simlab.kbs.connection import Connection
    from simlab.kbs.keybroker_pb2 import RequestDetails
    from simlab.kbs.store import Store

RESOURCES: Final = Path("resources")
_LOG: Final = rust.logger("request")


class RequestError(Exception):
    """The secret cannot be given; the message goes to the client."""


class Secret(ABC):
    """One secret of a request."""

    def __init__(self, details: RequestDetails) -> None:
        self.guid = details.Guid
        self._id = details.Id
        self._format = details.Format

    @abstractmethod
    def policies(self, store: Store) -> list[Policy]:
        """Return the policies that guard this secret. One that cannot be read guards nothing."""

    @abstractmethod
    def payload(self, store: Store, connection: Connection) -> bytes:
        """Return the secret. Raises RequestError, DatabaseError or PanicError."""


class Key(Secret):
    """One row of `secrets`."""

    def policies(self, store: Store) -> list[Policy]:
        """Return the row's policy."""
        absent = f"SecretKey::request::policies - there is no policy for {self._id}"
        return _look_up(store.secret_policy, self._id, absent)

    def payload(self, store: Store, connection: Connection) -> bytes:
        """Return the decoded value (`binary`), or id and value as JSON (`json`)."""
        del connection
        value = store.secret(self._id)
        match self._format:
            case "binary":
                try:
                    return strict_base64.decode(value)
                except strict_base64.Base64Error as error:
                    raise rust.unwrap_panic(error, "src/request.rs:166:39") from error
            case "json":
                return _json({"id": self._id, "payload": value})
            case _:
                raise RequestError("Unknown format type")


class Bundle(Secret):
    """A whole keyset."""

    def policies(self, store: Store) -> list[Policy]:
        """Return the policies of the keyset and of each of its secrets."""
        absent = f"SecretBundle::request::policies - there is no policy for request.id {self._id}"
        found = _look_up(store.keyset_policy, self._id, absent, kind="keyset")
        try:
            secret_ids = store.keyset(self._id)
        except DatabaseError:
            return found
        for secret_id in secret_ids:
            absent = f"SecretBundle::request::policies - there is no policy id for {secret_id}"
            found += _look_up(store.secret_policy, secret_id, absent)
        return found

    def payload(self, store: Store, connection: Connection) -> bytes:
        """Return the keyset's secrets as a JSON object, values as they stand in their rows."""
        del connection
        return _json({secret_id: store.secret(secret_id) for secret_id in store.keyset(self._id)})


class Report(Secret):
    """The launch, signed with ECDSA on P-256."""

    def policies(self, store: Store) -> list[Policy]:
        """Return the key pair's policy."""
        return _look_up(store.report_policy, self._id, None)

    def payload(self, store: Store, connection: Connection) -> bytes:
        """Return the launch and its signature as JSON."""
        try:
            pkcs8 = strict_base64.decode(store.report_keypair(self._id))
        except strict_base64.Base64Error as error:
            raise RequestError(str(error)) from error
        try:
            key = serialization.load_der_private_key(pkcs8, None)
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise RequestError("Failed to load keypair") from error
        if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
            raise RequestError("Failed to load keypair")
        launch = connection.json()
        signature = key.sign(launch.encode(), ec.ECDSA(hashes.SHA256()))
        return _json({"connection": launch, "signature": strict_base64.encode(signature)})


class ConnectionSecret(Secret):
    """Id and symmetric key with which the guest asks again at run time."""

    def policies(self, store: Store) -> list[Policy]:
        """Return none: only the tenant's policy guards a connection."""
        del store
        return []

    def payload(self, store: Store, connection: Connection) -> bytes:
        """Remember the launch, and return its id and key as JSON."""
        identifier, symkey = store.insert_connection(connection)
        return _json({"client_id": str(identifier), "key": symkey})


class Resource(Secret):
    """A file of the folder `resources`."""

    def policies(self, store: Store) -> list[Policy]:
        """Return the policy of the resource's type."""
        return _look_up(store.resource_policy, self._id, f"No policy for resource: {self._id}")

    def payload(self, store: Store, connection: Connection) -> bytes:
        """Return the file (`binary`), or type and content as bincode (`json`, sic)."""
        del connection
        try:
            content = (RESOURCES / store.resource_path(self._id)).read_bytes()
        except OSError as error:
            raise RequestError(os_error(error)) from error
        except ValueError as error:
            raise RequestError("file name contained an unexpected NUL byte") from error
        match self._format:
            case "binary":
                return content
            case "json":
                return bincode_map({self._id: strict_base64.encode(content).encode()})
            case _:
                raise RequestError("Unknown Secret Format")


_TYPES: Final[dict[str, type[Secret]]] = {
    "bundle": Bundle,
    "key": Key,
    "report": Report,
    "connection": ConnectionSecret,
    "resource": Resource,
}


def secret_of(details: RequestDetails) -> Secret:
    """Return the secret that is asked for. Raises RequestError for an unknown type."""
    kind = _TYPES.get(details.SecretType)
    if kind is None:
        raise RequestError("Unknown Secret Type")
    return kind(details)


def bincode_map(entries: dict[str, bytes]) -> bytes:
    """Serialise a map from strings to bytes as bincode 1.3 does: 64-bit little-endian lengths."""
    parts = [len(entries).to_bytes(8, "little")]
    for name, value in entries.items():
        for item in (name.encode(), value):
            parts += [len(item).to_bytes(8, "little"), item]
    return b"".join(parts)


def _json(value: dict[str, str]) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def _look_up(
    query: Callable[[str], Policy | None], name: str, absent: str | None, *, kind: str = "secret"
) -> list[Policy]:
    """Read a policy; an error is logged and counts as no policy, which is how 0.1.1 fails open."""
    try:
        policy = query(name)
    except DatabaseError as error:
        _LOG.error("Error getting policy for %s with id %s. Details: %s", kind, name, error)
        return []
    if policy is None:
        if absent is not None:
            _LOG.info("%s", absent)
        return []
    return [policy]
