"""A simple-kbs that goes away, or with which something else does, at a request that it sees."""

from __future__ import annotations

import json
import os
import socket
import sys
from functools import partial
from typing import TYPE_CHECKING, NoReturn

from simlab.kbs.__main__ import main
from simlab.kbs.service import KeyBroker
from simlab.machine import sandbox

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import grpc

    from simlab.kbs.keybroker_pb2 import (
        BundleRequest,
        BundleResponse,
        OnlineSecretRequest,
        OnlineSecretResponse,
    )
    from simlab.kbs.pool import Pool
    from simlab.layout import Layout

_NTH = 2


class AfterBundle(KeyBroker):
    """Does something before its second bundle is on its way; the request is answered all the same."""

    def __init__(self, pool: Pool, do: Callable[[], None]) -> None:
        super().__init__(pool)
        self._do = do
        self._bundles = 0

    def GetBundle(self, request: BundleRequest, context: grpc.ServicerContext) -> BundleResponse:  # noqa: N802
        """Begin a launch."""
        self._bundles += 1
        if self._bundles == _NTH:
            # Called when the answer has gone out.
            context.add_callback(self._do)
        return super().GetBundle(request, context)


class AtKey(KeyBroker):
    """Does something in the place of its answer when the second guest asks for its key."""

    def __init__(self, pool: Pool, do: Callable[[], None]) -> None:
        super().__init__(pool)
        self._do = do
        self._guests: set[str] = set()

    def GetOnlineSecret(  # noqa: N802
        self, request: OnlineSecretRequest, context: grpc.ServicerContext
    ) -> OnlineSecretResponse:
        """Return secrets to a guest that was launched before."""
        answer = super().GetOnlineSecret(request, context)
        # Who it knows is refused before this.
        self._guests.add(request.ClientId)
        if len(self._guests) == _NTH:
            self._do()
        return answer


def gone_after_bundle(layout: Layout) -> NoReturn:
    """Run a KBS that dies between bundle and secret."""
    _run(AfterBundle, layout, partial(_die, _mark(layout)))


def gone_at_key(layout: Layout) -> NoReturn:
    """Run a KBS that dies when a guest asks it."""
    _run(AtKey, layout, partial(_die, _mark(layout)))


def database_after_bundle(layout: Layout) -> NoReturn:
    """Run a KBS that loses its database between bundle and secret."""
    stop = {"op": "container-stop", "container": "simple-kbs-db-1", "seconds": 0}
    _run(AfterBundle, layout, partial(_ask_supervisor, layout, stop))


def host_after_bundle(layout: Layout) -> NoReturn:
    """Run a KBS whose host loses its power between bundle and secret."""
    _run(AfterBundle, layout, partial(_ask_supervisor, layout, {"op": "poweroff"}))


def _run(
    kind: Callable[[Pool, Callable[[], None]], KeyBroker], layout: Layout, do: Callable[[], None]
) -> NoReturn:
    if _mark(layout).exists():
        # docker starts it again and again; it does not come back.
        sys.exit("Error: transport error")
    main(lambda pool: kind(pool, do))


def _mark(layout: Layout) -> Path:
    return layout.world / "kbs-is-gone"


def _die(mark: Path) -> None:
    mark.touch()
    os._exit(1)


def _ask_supervisor(layout: Layout, request: dict[str, object]) -> None:
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(sandbox.control_socket(layout)))
        client.sendall(json.dumps(request).encode() + b"\n")
        client.recv(4096)
