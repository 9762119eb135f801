"""A key broker that gives away a challenge's session, keeps the measurement, and releases nothing.

It speaks simple-kbs' protocol (lab/kbs/keybroker.proto), as far as kata's shim asks before a launch.
"""

from __future__ import annotations

import base64
import contextlib
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final, Self

import grpc

from lab.certificates.formats import PLATFORM_SIZE
from lab.kbs import keybroker_pb2 as messages

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from google.protobuf.message import Message

    from lab.challenge.documents import Challenge

SERVICE: Final = "keybroker.KeyBrokerService"
KEPT: Final = "the measurement is kept as the answer to"
FOREIGN: Final = "the challenge was made for another platform's certificate chain"
OTHER_POLICY: Final = "the challenge was made for another SEV policy"
# kata's shim waits 10 s for an answer (kata-containers CC-0.3.0, qemu_amd64.go, sevAttestationGrpcTimeout).
_GRACE: Final = 1.0


class Endpoint:
    """Listens on 127.0.0.1 at `port` while it is entered.

    `on_secret` is told each GetSecret while the guest is paused, and has some 8 s. A LaunchId begins with the
    challenge's id.
    """

    def __init__(self, challenge: Challenge, on_secret: Callable[[messages.SecretRequest], None]) -> None:
        self._challenge = challenge
        self._on_secret = on_secret
        self._lock = threading.Lock()
        self._launches = 0
        self._server = grpc.server(ThreadPoolExecutor(max_workers=4), options=[("grpc.so_reuseport", 0)])
        handlers = {
            "GetBundle": _handler(self._bundle, messages.BundleRequest),
            "GetSecret": _handler(self._secret, messages.SecretRequest),
        }
        self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, handlers),))
        self.port: int = self._server.add_insecure_port("127.0.0.1:0")

    def __enter__(self) -> Self:
        self._server.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.stop(_GRACE).wait()

    def _bundle(
        self, request: messages.BundleRequest, context: grpc.ServicerContext
    ) -> messages.BundleResponse:
        with contextlib.suppress(ValueError):
            if base64.b64decode(request.CertificateChain)[:PLATFORM_SIZE] == self._challenge.pdh:
                if request.Policy != self._challenge.policy:
                    context.abort(grpc.StatusCode.FAILED_PRECONDITION, OTHER_POLICY)
                with self._lock:
                    self._launches += 1
                    launch = f"{self._challenge.id}-{self._launches}"
                return messages.BundleResponse(
                    GuestOwnerPublicKey=self._challenge.owner,
                    LaunchBlob=self._challenge.session,
                    LaunchId=launch,
                )
        context.abort(grpc.StatusCode.FAILED_PRECONDITION, FOREIGN)
        raise AssertionError("abort raises")

    def _secret(
        self, request: messages.SecretRequest, context: grpc.ServicerContext
    ) -> messages.SecretResponse:
        self._on_secret(request)
        context.abort(grpc.StatusCode.FAILED_PRECONDITION, f"{KEPT} {self._challenge.id}")
        raise AssertionError("abort raises")


def _handler(
    behaviour: Callable[..., Message], request: type[Message]
) -> grpc.RpcMethodHandler[Message, Message]:
    return grpc.unary_unary_rpc_method_handler(
        behaviour,
        request_deserializer=request.FromString,
        response_serializer=lambda answer: answer.SerializeToString(),
    )
