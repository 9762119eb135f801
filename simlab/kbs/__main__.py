"""The command line of simple-kbs 0.1.1 (src/main.rs, and KbsDb::new of src/db.rs)."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final, NoReturn

import grpc
from setproctitle import setproctitle

from simlab.kbs import rust
from simlab.kbs.keybroker_pb2_grpc import add_KeyBrokerServiceServicer_to_server
from simlab.kbs.pool import DatabaseError, Pool, Settings
from simlab.kbs.service import KeyBroker

if TYPE_CHECKING:
    from collections.abc import Callable

# A request may wait half a minute for the database; the real server holds any number of them.
_REQUESTS_AT_ONCE: Final = 64
_OPTIONS: Final = (
    ("grpc.so_reuseport", 0),
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
)


def main(new_service: Callable[[Pool], KeyBroker] = KeyBroker) -> NoReturn:
    """Connect to the database, then serve until SIGTERM. Exits with 1 and one line when it cannot."""
    parser = argparse.ArgumentParser(prog="simple-kbs", description="simple-kbs 0.1.1, simulated")
    parser.add_argument(
        "--grpc_sock", default="127.0.0.1:44444", help="Socket that the server will listen on."
    )
    address = parser.parse_args().grpc_sock
    setproctitle(f"simple-kbs --grpc_sock={address}")
    rust.start_logging()
    rust.logger().info("Starting gRPC Server")
    pool = Pool(_settings())
    try:
        pool.connect()
    except DatabaseError as error:
        sys.exit(f"Error: db::get_db_pool:: Encountered error trying to create database pool: {error}")
    server = grpc.server(ThreadPoolExecutor(_REQUESTS_AT_ONCE), options=_OPTIONS)
    add_KeyBrokerServiceServicer_to_server(new_service(pool), server)  # type: ignore[no-untyped-call]
    try:
        server.add_insecure_port(address)
    except RuntimeError:
        sys.exit("Error: transport error")
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: os._exit(0))
    server.start()
    server.wait_for_termination()
    sys.exit(0)


def _settings() -> Settings:
    kind = _variable("KBS_DB_TYPE")
    settings = Settings(
        host=_variable("KBS_DB_HOST"),
        user=_variable("KBS_DB_USER"),
        password=_variable("KBS_DB_PW"),
        database=_variable("KBS_DB"),
        max_connections=_max_connections(),
    )
    if kind not in ("mysql", "mariadb"):
        sys.exit("Error: the simulated simple-kbs knows KBS_DB_TYPE=mysql only")
    return settings


def _variable(name: str) -> str:
    value = os.environ.get(name)
    if value is None:
        sys.exit(f"Error: KbsDb::new() - env var {name} parse error = environment variable not found")
    return value


def _max_connections() -> int:
    text = os.environ.get("KBS_DB_MAX_CONNS", "1000")
    if not (text.isascii() and text.isdigit() and int(text)):
        sys.exit("Error: invalid digit found in string")
    return int(text)


if __name__ == "__main__":
    main()
