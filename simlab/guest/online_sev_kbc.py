"""The online SEV KBC: asks the KBS at run time (attestation-agent v0.3.0, src/kbc_modules/online_sev_kbc)."""

from __future__ import annotations

import base64
import binascii
import ipaddress
import json
import struct
import uuid
from typing import TYPE_CHECKING, Final

import grpc
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from simlab.guest.kbc import KbcError
from simlab.kbs import keybroker_pb2

if TYPE_CHECKING:
    from simlab.kbs.keybroker_pb2 import OnlineSecretResponse

GUID: Final = "1ee27366-0c87-43a6-af48-28543eaf7cb0"

_METHOD: Final = "/keybroker.KeyBrokerService/GetOnlineSecret"

# tonic sets no limit; this one stands for the kernel's patience with a peer that never answers.
_PATIENCE: Final = 60.0
# grpc would honour the runner's proxy settings, which mean nothing in a guest.
_OPTIONS: Final = (("grpc.enable_http_proxy", 0),)


_NOBODY_LISTENS: Final = (
    "status: UNAVAILABLE, message: "
    "'error trying to connect: tcp connect error: Connection refused (os error 111)'"
)


class OnlineSevKbc:
    """Asks the KBS over the connection that was injected at launch."""

    def __init__(self, kbs: str, secrets: dict[str, bytes]) -> None:
        """Take the connection out of the guest's files; a failure shows at the first request."""
        self._kbs = kbs
        self._client_id = ""
        self._key = b""
        self._failure = ""
        try:
            connection = json.loads(secrets.pop(GUID))
            self._client_id = str(uuid.UUID(connection["client_id"]))
            self._key = base64.b64decode(connection["key"], validate=True)
        except KeyError:
            self._failure = "No such file or directory (os error 2)"
        except (ValueError, TypeError, binascii.Error):
            self._failure = "malformed connection"

    def key(self, kid: str) -> bytes:
        """Ask for a key. Raises KbcError."""
        return self._query("key", kid)

    def resource(self, name: str) -> bytes:
        """Ask for a resource. Raises KbcError."""
        return self._query("resource", name)

    def _query(self, secret_type: str, identifier: str) -> bytes:
        if self._failure:
            raise KbcError(f"Failed to get injected connection. {self._failure}")
        if _is_own_loopback(self._kbs):
            raise KbcError(_NOBODY_LISTENS)
        guid = self.new_guid()
        details = keybroker_pb2.RequestDetails(
            Guid=guid, Format="binary", SecretType=secret_type, Id=identifier
        )
        request = keybroker_pb2.OnlineSecretRequest(ClientId=self._client_id, SecretRequests=[details])
        with grpc.insecure_channel(self._kbs, options=_OPTIONS) as channel:
            call = channel.unary_unary(
                _METHOD,
                request_serializer=keybroker_pb2.OnlineSecretRequest.SerializeToString,
                response_deserializer=keybroker_pb2.OnlineSecretResponse.FromString,
            )
            try:
                response = call(request, timeout=_PATIENCE)
            except grpc.RpcError as error:
                raise KbcError(f"status: {error.code().name}, message: {error.details()!r}") from None
        payload = _hash_map(self._decrypt(response))
        if guid not in payload:
            raise KbcError("Secret UUID not found.")
        return payload[guid]

    def new_guid(self) -> str:
        """Make the guid of a request, against replay."""
        return str(uuid.uuid4())

    def _decrypt(self, response: OnlineSecretResponse) -> bytes:
        try:
            nonce = base64.b64decode(response.IV, validate=True)
            sealed = base64.b64decode(response.Payload, validate=True)
            return AESGCM(self._key).decrypt(nonce, sealed, None)
        except (InvalidTag, ValueError):
            raise KbcError("Failed to decrypt secret payload. aead::Error") from None


def _is_own_loopback(address: str) -> bool:
    """Whether an address is the guest's own loopback: a real VM does not share the host's."""
    name = address.rpartition(":")[0].strip("[]")
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name == "localhost"


def _hash_map(data: bytes) -> dict[str, bytes]:
    """Read bincode's HashMap<String, Vec<u8>>: all lengths are 64 bit little endian."""
    at = 0

    def take() -> bytes:
        nonlocal at
        (size,) = struct.unpack_from("<Q", data, at)
        at += 8 + size
        if at > len(data):
            raise KbcError("io error: unexpected end of file")
        return data[at - size : at]

    try:
        (count,) = struct.unpack_from("<Q", data)
        at = 8
        return {take().decode(): take() for _ in range(count)}
    except (struct.error, UnicodeDecodeError):
        raise KbcError("io error: unexpected end of file") from None
