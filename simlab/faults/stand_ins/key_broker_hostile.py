"""What stands on the KBS's port and answers what cannot be used."""

from __future__ import annotations

import base64
import socket
import threading
from typing import TYPE_CHECKING, NoReturn

from simlab import addresses
from simlab.kbs.__main__ import main
from simlab.kbs.keybroker_pb2 import BundleResponse, SecretResponse
from simlab.kbs.service import KeyBroker

if TYPE_CHECKING:
    import grpc

    from simlab.kbs.keybroker_pb2 import (
        BundleRequest,
        OnlineSecretRequest,
        OnlineSecretResponse,
        SecretRequest,
    )
    from simlab.layout import Layout

_WEB_PAGE = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 4\r\nConnection: close\r\n\r\nno.\n"


class EmptyBundles(KeyBroker):
    """Answers a request for a bundle with one in which nothing is."""

    def GetBundle(self, request: BundleRequest, context: grpc.ServicerContext) -> BundleResponse:  # noqa: N802
        """Begin no launch."""
        del request, context
        return BundleResponse()


class GarbledSecrets(KeyBroker):
    """Turns a bit of each launch secret."""

    def GetSecret(self, request: SecretRequest, context: grpc.ServicerContext) -> SecretResponse:  # noqa: N802
        """Return the secrets of a launch, damaged."""
        answer = super().GetSecret(request, context)
        data = bytearray(base64.b64decode(answer.LaunchSecretData))
        data[0] ^= 1
        return SecretResponse(
            LaunchSecretHeader=answer.LaunchSecretHeader,
            LaunchSecretData=base64.b64encode(bytes(data)).decode(),
        )


class Silent(KeyBroker):
    """Never answers."""

    def GetBundle(self, request: BundleRequest, context: grpc.ServicerContext) -> BundleResponse:  # noqa: N802
        """Wait until the client is gone."""
        del request
        _until_gone(context)
        return BundleResponse()

    def GetOnlineSecret(  # noqa: N802
        self, request: OnlineSecretRequest, context: grpc.ServicerContext
    ) -> OnlineSecretResponse:
        """Wait until the client is gone."""
        _until_gone(context)
        return super().GetOnlineSecret(request, context)


def _until_gone(context: grpc.ServicerContext) -> None:
    gone = threading.Event()
    if context.add_callback(gone.set):
        gone.wait()


def empty_bundles(_layout: Layout) -> NoReturn:
    """Run a KBS that answers with nothing."""
    main(EmptyBundles)


def garbled_secrets(_layout: Layout) -> NoReturn:
    """Run a KBS whose launch secrets are damaged."""
    main(GarbledSecrets)


def silent(_layout: Layout) -> NoReturn:
    """Run a KBS that never answers."""
    main(Silent)


def web_server(_layout: Layout) -> None:
    """Serve on the KBS's port as a web server that does not understand a word."""
    with socket.create_server(("0.0.0.0", addresses.KBS_PORT), reuse_port=False) as server:  # noqa: S104
        while True:
            client, _ = server.accept()
            with client:
                client.recv(4096)
                client.sendall(_WEB_PAGE)
