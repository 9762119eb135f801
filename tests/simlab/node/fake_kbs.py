"""A key broker whose answers a test decides, at a port of its own."""

from __future__ import annotations

import threading
from concurrent import futures
from typing import TYPE_CHECKING, Any

import grpc

from simlab.kbs import keybroker_pb2, keybroker_pb2_grpc

if TYPE_CHECKING:
    from collections.abc import Callable


class FakeKbs(keybroker_pb2_grpc.KeyBrokerServiceServicer):
    """Gives a bundle for launch `launch-1`; a secret as `on_secret` decides."""

    def __init__(self) -> None:
        self.bundles: list[keybroker_pb2.BundleRequest] = []
        self.secrets: list[keybroker_pb2.SecretRequest] = []
        self.on_secret: Callable[[grpc.ServicerContext], None] = lambda _: None
        self.released = threading.Event()
        self._server = grpc.server(futures.ThreadPoolExecutor(2))
        keybroker_pb2_grpc.add_KeyBrokerServiceServicer_to_server(self, self._server)  # type: ignore[no-untyped-call]
        self.port = self._server.add_insecure_port("127.0.0.1:0")
        self._server.start()

    @property
    def address(self) -> str:
        return f"localhost:{self.port}"

    def stop(self) -> None:
        self.released.set()
        self._server.stop(None).wait()

    def GetBundle(self, request: Any, context: Any) -> keybroker_pb2.BundleResponse:  # noqa: N802 - gRPC's name
        self.bundles.append(request)
        return keybroker_pb2.BundleResponse(
            GuestOwnerPublicKey="godh", LaunchBlob="blob", LaunchId="launch-1"
        )

    def GetSecret(self, request: Any, context: Any) -> keybroker_pb2.SecretResponse:  # noqa: N802 - gRPC's name
        self.secrets.append(request)
        self.on_secret(context)
        return keybroker_pb2.SecretResponse(LaunchSecretHeader="header", LaunchSecretData="data")
