"""A real MariaDB, a real gRPC server and a software platform, started once for the tests of the KBS."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import os
import random
import re
import socket
import subprocess
import sys
import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc
import pymysql
import pytest

from simlab import database, real_parts
from simlab.kbs.keybroker_pb2 import (
    BundleRequest,
    BundleResponse,
    OnlineSecretRequest,
    RequestDetails,
    SecretRequest,
    SecretResponse,
)
from simlab.kbs.keybroker_pb2_grpc import KeyBrokerServiceStub
from simlab.psp.client import Sev
from simlab.sev.certificate import SIZE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from simlab.psp.platform import Platform

PATIENCE = 60.0
STOCK_POLICY = """{"allowed_digests": [], "allowed_policies": [], "min_fw_api_major": 0,
"min_fw_api_minor": 0, "allowed_build_ids": []}"""
# As Rust 1.95 writes it; its backtrace is off, and the note about that comes once a process.
_PANIC = re.compile(
    r"^\nthread 'tokio-runtime-worker' \(\d+\) panicked at (.+):\n((?:.+\n)+?)(?=\[|note: |\n|\Z)",
    re.MULTILINE,
)


def free_port() -> int:
    """A port that nobody listens on, below those that the kernel hands to clients."""
    while True:
        port = random.SystemRandom().randrange(10240, 32000)
        with socket.socket() as listener, contextlib.suppress(OSError):
            listener.bind(("127.0.0.1", port))
            return port


def until(condition: Callable[[], Any], process: subprocess.Popen[Any], what: str) -> None:
    """Wait until a server answers; fail at once when it has ended."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert process.poll() is None, f"{what} ended with {process.returncode}"
        assert time.monotonic() < deadline, f"{what} did not become ready"
        time.sleep(0.02)


class DatabaseServer:
    """mariadbd on a port of this machine; may be stopped and started again on the same rows."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        database.initialise(self.folder)
        with (self.folder.parent / "mariadb.log").open("ab") as log:
            self._process = subprocess.Popen(
                database.server_command(self.folder, address="127.0.0.1", port=self.port), stderr=log
            )
        until(self._answers, self._process, "mariadbd")

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(PATIENCE)
            self._process = None

    def kill(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait(PATIENCE)

    def execute(self, statement: str, *values: object) -> tuple[tuple[Any, ...], ...]:
        with contextlib.closing(self.connect()) as connection, connection.cursor() as cursor:
            cursor.execute(statement, values)
            found: tuple[tuple[Any, ...], ...] = cursor.fetchall()
            return found

    def connect(self) -> pymysql.Connection[Any]:
        return pymysql.connect(
            host="127.0.0.1",
            port=self.port,
            user="kbsuser",
            password="kbspassword",
            database="simple_kbs",
            autocommit=True,
            ssl_disabled=True,
        )

    def put_stock_back(self) -> None:
        for table in ("policy", "secrets", "keysets", "conn_bundle", "report_keypair", "resources"):
            self.execute(f"DELETE FROM {table}")  # noqa: S608
        self.execute(
            "INSERT INTO secrets VALUES (10, 'key_id1', 'RcHGava52DPvj1uoIk/NVDYlwxi0A6yyIZ8ilhEX3X4=', NULL)"
        )
        self.execute("INSERT INTO keysets VALUES (10, 'KEYSET-1', '[\"key_id1\"]', NULL)")

    def _answers(self) -> bool:
        try:
            self.connect().close()
        except pymysql.Error:
            return False
        return True


def environment(port: int) -> dict[str, str]:
    return {
        **os.environ,
        "PYTHONPATH": str(Path(__file__).parents[3]),
        "KBS_DB_TYPE": "mysql",
        "KBS_DB_HOST": f"127.0.0.1:{port}",
        "KBS_DB_USER": "kbsuser",
        "KBS_DB_PW": "kbspassword",
        "KBS_DB": "simple_kbs",
        "RUST_LOG": "debug",
        "RUST_BACKTRACE": "0",
    }


def _program() -> list[str]:
    """The real server where one is named: what these tests say holds for both."""
    real = real_parts.from_environment().simple_kbs
    return [str(real)] if real else [sys.executable, "-m", "simlab.kbs"]


class Kbs:
    """The server as a process of its own, in a folder of its own."""

    def __init__(self, folder: Path, database_port: int) -> None:
        self.folder = folder
        self.port = free_port()
        self._environment = environment(database_port)
        self._log = folder / "kbs.log"
        (folder / "default_policy.json").write_text(STOCK_POLICY)
        self.start()

    def start(self) -> None:
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                [*_program(), f"--grpc_sock=127.0.0.1:{self.port}"],
                cwd=self.folder,
                env=self._environment,
                stderr=log,
            )
        until(self._listens, self.process, "the KBS")
        self.channel = grpc.insecure_channel(f"127.0.0.1:{self.port}")
        self.stub: Any = KeyBrokerServiceStub(self.channel)  # type: ignore[no-untyped-call]

    def stop(self) -> None:
        self.channel.close()
        self.process.terminate()
        self.process.wait(PATIENCE)

    def restart(self) -> None:
        self.stop()
        self.start()

    def bundle(self, chain: bytes, policy: int = 0) -> BundleResponse:
        return self.bundle_text(base64.b64encode(chain).decode(), policy)

    def bundle_text(self, chain: str, policy: int = 0) -> BundleResponse:
        request = BundleRequest(CertificateChain=chain, Policy=policy)
        answer: BundleResponse = self.stub.GetBundle(request, timeout=PATIENCE)
        return answer

    @property
    def log(self) -> str:
        return self._log.read_text()

    @property
    def panics(self) -> list[tuple[str, str]]:
        """Where each panic was, and what it said."""
        return [(where, text.rstrip("\n")) for where, text in _PANIC.findall(self.log)]

    def _listens(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
        except OSError:
            return False
        return True


@dataclass
class Host:
    """A platform with its PSP served, and the chain as sevctl exports it."""

    platform: Platform
    psp_socket: Path

    @property
    def chain(self) -> bytes:
        with Sev(self.psp_socket) as sev:
            export = sev.pdh_cert_export()
        folder = self.platform.folder
        signed_cek = (folder / "cek.cert").read_bytes()
        return export.pdh + export.chain[: 2 * SIZE] + signed_cek + (folder / "ask_ark.cert").read_bytes()


KEYSET = RequestDetails(
    Guid="e6f5a162-d67f-4750-a67c-5d065f2a9910", Format="JSON", SecretType="bundle", Id="KEYSET-1"
)
CONNECTION = RequestDetails(
    Guid="1ee27366-0c87-43a6-af48-28543eaf7cb0", Format="JSON", SecretType="connection", Id="KEYSET-1"
)
KEY = RequestDetails(
    Guid="7a1a8d3a-1a8b-4b0e-9d8e-3a5f6c2b1d00", Format="binary", SecretType="key", Id="key_id1"
)


@dataclass
class Launcher:
    """What kata's shim and QEMU do between GetBundle and the injected secret."""

    kbs: Kbs
    host: Host
    sev: Sev
    policy: int = 0
    firmware: bytes = b"firmware, kernel hashes".ljust(4096, b"\0")
    bundle: BundleResponse = field(default_factory=BundleResponse)
    handle: int = 0

    def get_bundle(self) -> BundleResponse:
        self.bundle = self.kbs.bundle(self.host.chain, self.policy)
        return self.bundle

    def measure(self) -> bytes:
        public_key = base64.b64decode(self.bundle.GuestOwnerPublicKey)
        session = base64.b64decode(self.bundle.LaunchBlob)
        self.handle = self.sev.launch_start(self.policy, public_key, session)
        self.sev.launch_update_data(self.handle, self.firmware)
        return self.sev.launch_measure(self.handle)

    def secret_request(self, measurement: bytes, *details: RequestDetails, **changes: Any) -> SecretRequest:
        status = self.sev.platform_status()
        fields: dict[str, Any] = {
            "LaunchMeasurement": base64.b64encode(measurement).decode(),
            "LaunchId": self.bundle.LaunchId,
            "Policy": self.policy,
            "ApiMajor": status.api_major,
            "ApiMinor": status.api_minor,
            "BuildId": status.build,
            "FwDigest": self.digest,
            "SecretRequests": details or (KEYSET,),
        }
        return SecretRequest(**{**fields, **changes})

    @property
    def digest(self) -> str:
        return base64.b64encode(hashlib.sha256(self.firmware).digest()).decode()

    def get_secret(self, *details: RequestDetails, **changes: Any) -> SecretResponse:
        self.get_bundle()
        request = self.secret_request(self.measure(), *details, **changes)
        answer: SecretResponse = self.kbs.stub.GetSecret(request, timeout=PATIENCE)
        return answer

    def inject(self, answer: SecretResponse) -> bytes:
        header = base64.b64decode(answer.LaunchSecretHeader)
        return self.sev.launch_secret(self.handle, header, base64.b64decode(answer.LaunchSecretData))

    def online(self, client_id: str, *details: RequestDetails) -> Any:
        request = OnlineSecretRequest(ClientId=client_id, SecretRequests=details or (KEY,))
        return self.kbs.stub.GetOnlineSecret(request, timeout=PATIENCE)


def entries(table: bytes) -> dict[str, bytes]:
    """Read an injected secret table as a guest does."""
    assert uuid.UUID(bytes_le=table[:16]) == uuid.UUID("1e74f542-71dd-4d66-963e-ef4287ff173b")
    end = int.from_bytes(table[16:20], "little")
    assert len(table) % 16 == 0
    assert not any(table[end:])
    found = {}
    position = 20
    while position < end:
        size = int.from_bytes(table[position + 16 : position + 20], "little")
        guid = str(uuid.UUID(bytes_le=table[position : position + 16]))
        found[guid] = table[position + 20 : position + size]
        position += size
    assert position == end
    return found


@contextlib.contextmanager
def refused(text: str) -> Iterator[None]:
    """Expect the status Internal with exactly this text."""
    with pytest.raises(grpc.RpcError) as caught:
        yield
    assert (caught.value.code(), caught.value.details()) == (grpc.StatusCode.INTERNAL, text)
