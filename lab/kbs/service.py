"""simple-kbs' gRPC service, asked by the suite itself: each answer is the KBS's own verdict.

Calls: simple-kbs 0.1.1, src/grpc/mod.rs. The port speaks plain HTTP/2.
"""

from __future__ import annotations

import base64
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

import grpc
from google.protobuf.json_format import MessageToDict

from lab.errors import Unreachable
from lab.exchanged import exchanged
from lab.fact import Fact
from lab.interruptible import in_thread
from lab.kbs import keybroker_pb2 as messages
from lab.printable import printable, shortened

if TYPE_CHECKING:
    from collections.abc import Sequence

    from google.protobuf.message import Message

    from lab.record import Record

M = TypeVar("M", bound="Message")

# Seconds for a connection, and for an answer. The KBS waits up to 30 s for its database (sqlx' default).
CONNECT = 10.0
ANSWER = 40.0

_OPTIONS = [
    # A runner's proxy knows nothing of a lab's network.
    ("grpc.enable_http_proxy", 0),
    # A failed connection must not delay the next one's try.
    ("grpc.use_local_subchannel_pool", 1),
]


@dataclass(frozen=True)
class Answer:
    """The gRPC status of a call by name, such as `OK` or `INTERNAL`, and its text."""

    status: str
    text: str

    @property
    def granted(self) -> bool:
        """Whether the KBS did what was asked."""
        return self.status == "OK"


@dataclass(frozen=True)
class BundleAnswer(Answer):
    """What a shim needs to launch; all base64 but the id."""

    guest_owner_public_key: str = ""
    launch_blob: str = ""
    launch_id: str = ""


@dataclass(frozen=True)
class SecretAnswer(Answer):
    """A launch secret for the platform's firmware, encrypted, both base64."""

    header: str = ""
    data: str = field(default="", repr=False)


@dataclass(frozen=True)
class OnlineAnswer(Answer):
    """A secret for a running guest, encrypted with its connection's key, both base64."""

    payload: str = field(default="", repr=False)
    iv: str = field(default="", repr=False)


@dataclass(frozen=True)
class SecretWish:
    """One secret that is asked for: `guid` names it in the answer, `kind` is the protocol's SecretType."""

    guid: str
    kind: str
    secret_id: str
    encoding: str = "binary"

    def message(self) -> messages.RequestDetails:
        """As it is sent."""
        return messages.RequestDetails(
            Guid=self.guid, Format=self.encoding, SecretType=self.kind, Id=self.secret_id
        )


class KbsService:
    """The service at `address` (HOST:PORT as the runner reaches it); `name` is what errors call it.

    Each call has a connection of its own. Raises Unreachable("kbs", …) where none comes about; what breaks
    after that is an Answer: simple-kbs' panics cut the connection.
    """

    def __init__(self, address: str, *, record: Record, name: str | None = None) -> None:
        self._address = address
        self._record = record
        self._name = name or address

    def close(self) -> None:
        """Nothing is open between two calls."""

    def get_bundle(self, chain: bytes, policy: int) -> BundleAnswer:
        """Ask for a launch bundle, as the shim does before a launch."""
        status, text, reply = self._call(
            "GetBundle",
            messages.BundleRequest(CertificateChain=base64.b64encode(chain).decode(), Policy=policy),
            messages.BundleResponse,
        )
        return BundleAnswer(status, text, reply.GuestOwnerPublicKey, reply.LaunchBlob, reply.LaunchId)

    def get_secret(
        self,
        *,
        measurement: bytes,
        launch_id: str,
        policy: int,
        api_major: int,
        api_minor: int,
        build_id: int,
        fw_digest: str,
        wishes: Sequence[SecretWish],
        description: str = "",
    ) -> SecretAnswer:
        """Ask for a launch secret, as the shim does after the measurement; `fw_digest` is base64."""
        status, text, reply = self._call(
            "GetSecret",
            messages.SecretRequest(
                LaunchMeasurement=base64.b64encode(measurement).decode(),
                LaunchId=launch_id,
                Policy=policy,
                ApiMajor=api_major,
                ApiMinor=api_minor,
                BuildId=build_id,
                FwDigest=fw_digest,
                LaunchDescription=description,
                SecretRequests=[wish.message() for wish in wishes],
            ),
            messages.SecretResponse,
        )
        return SecretAnswer(status, text, reply.LaunchSecretHeader, reply.LaunchSecretData)

    def get_online_secret(self, client_id: str, guid: str, key_id: str, *, kind: str = "key") -> OnlineAnswer:
        """Ask for a key as the guest of the recorded launch `client_id` would.

        The KBC of attestation-agent v0.3.0 asks for the format `binary` (online_sev_kbc/mod.rs).
        """
        wish = SecretWish(guid, kind, key_id)
        status, text, reply = self._call(
            "GetOnlineSecret",
            messages.OnlineSecretRequest(ClientId=client_id, SecretRequests=[wish.message()]),
            messages.OnlineSecretResponse,
        )
        return OnlineAnswer(status, text, reply.Payload, reply.IV)

    def _call(self, method: str, request: Message, answer: type[M]) -> tuple[str, str, M]:
        asked = {"method": method, "message": MessageToDict(request, preserving_proto_field_name=True)}
        with exchanged(self._record.exchange, "grpc", asked) as answered:
            status, text, reply = in_thread(lambda: self._ask(method, request, answer))
            text = printable(text.encode())
            answered |= {"status": status, "text": text, "message": _sizes(reply)}
        said = {"call": method, "status": status, "text": text}
        self._record.evidence(f"KBS: {method}", said, fact=Fact.KBS_CALL)
        return status, text, reply

    def _ask(self, method: str, request: Message, answer: type[M]) -> tuple[str, str, M]:
        with grpc.insecure_channel(self._address, options=_OPTIONS) as channel:
            self._connect(channel)
            ask = channel.unary_unary(
                f"/keybroker.KeyBrokerService/{method}",
                request_serializer=type(request).SerializeToString,
                response_deserializer=answer.FromString,
            )
            try:
                return "OK", "", ask(request, timeout=ANSWER)
            except grpc.RpcError as error:
                return error.code().name, error.details() or "", answer()

    def _connect(self, channel: grpc.Channel) -> None:
        """Wait for the connection; a first failure ends it, as retrying is not this module's to decide."""
        settled = threading.Event()
        states: list[Any] = []

        def watch(state: grpc.ChannelConnectivity) -> None:
            states.append(state)
            if state in {grpc.ChannelConnectivity.READY, grpc.ChannelConnectivity.TRANSIENT_FAILURE}:
                settled.set()

        channel.subscribe(watch, try_to_connect=True)
        in_time = settled.wait(CONNECT)
        channel.unsubscribe(watch)
        if grpc.ChannelConnectivity.READY in states:
            self._record.reached("kbs")
            return
        cause = "no connection comes about" if in_time else f"no gRPC within {CONNECT:.0f} s"
        raise Unreachable("kbs", shortened(f"{self._name} does not answer: {cause}", 300))


def _sizes(reply: Message) -> dict[str, str]:
    """How long each field of an answer is: what the KBS hands out is told to nobody else."""
    return {field.name: f"{len(value)} characters" for field, value in reply.ListFields()}
