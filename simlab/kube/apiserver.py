"""The API server as a program: `python -m simlab.kube.apiserver --listen ADDRESS:PORT --pki FOLDER`."""

from __future__ import annotations

import argparse
import asyncio
import logging
import signal
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import setproctitle
from aiohttp import web

from simlab.kube import bootstrap
from simlab.kube.auth import server_context
from simlab.kube.cluster import Cluster
from simlab.kube.resources import Registry
from simlab.kube.server import ApiServer
from simlab.kube.store import HISTORY, Store

if TYPE_CHECKING:
    from collections.abc import Callable

_SHUTDOWN_SECONDS: Final = 2.0


def _address(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if not colon or not port.isdigit():
        raise argparse.ArgumentTypeError(f"{text!r} is not ADDRESS:PORT")
    return host, int(port)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="simlab.kube.apiserver", description=__doc__)
    parser.add_argument("--listen", type=_address, action="append", default=[], metavar="ADDRESS:PORT")
    parser.add_argument(
        "--fd", type=int, action="append", default=[], help="a listening socket that is inherited"
    )
    parser.add_argument(
        "--pki", type=Path, required=True, help="folder with ca.crt, apiserver.crt, apiserver.key"
    )
    parser.add_argument(
        "--history", type=int, default=HISTORY, help="changes kept for each resource's watches"
    )
    return parser


async def serve(
    options: argparse.Namespace,
    new_cluster: Callable[[Store, Registry], Cluster] = Cluster,
    new_server: Callable[[Cluster, Path], ApiServer] = ApiServer,
) -> None:
    """Serve until SIGTERM or SIGINT; raises OSError if an address or the PKI cannot be used."""
    context = server_context(options.pki)
    cluster = new_cluster(Store(options.history), Registry())
    address, port = options.listen[0] if options.listen else ("127.0.0.1", 443)
    bootstrap.fill(cluster, address, port)
    server = new_server(cluster, options.pki)
    runner = web.AppRunner(server.application(), access_log=None, shutdown_timeout=_SHUTDOWN_SECONDS)
    await runner.setup()
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    try:
        for host, number in options.listen:
            await web.TCPSite(runner, host, number, ssl_context=context).start()
        for descriptor in options.fd:
            await web.SockSite(runner, socket.socket(fileno=descriptor), ssl_context=context).start()
        logging.getLogger("simlab.kube.apiserver").info("serving")
        await stop.wait()
    finally:
        server.end_watches()
        await runner.cleanup()


def main(arguments: list[str] | None = None, **parts: Any) -> int:
    """Run the program; returns its exit code. `parts` are those that `serve` takes."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if not options.listen and not options.fd:
        parser.error("nothing to listen on: give --listen or --fd")
    logging.basicConfig(
        level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(name)s %(levelname)s %(message)s"
    )
    setproctitle.setproctitle("kube-apiserver")
    try:
        asyncio.run(serve(options, **parts))
    except OSError as error:
        print(f"kube-apiserver: {error}", file=sys.stderr)  # noqa: T201 - a program's own message
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
