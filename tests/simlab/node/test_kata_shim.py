from __future__ import annotations

import asyncio
import base64
from typing import TYPE_CHECKING, Any, cast

import grpc
import pytest

from simlab.artifacts import firmware
from simlab.layout import Layout
from simlab.node.kata import attestation, kbs
from simlab.node.kata.digest import launch_digest
from simlab.node.kata.shim import KataShim
from simlab.node.rpc import RpcError
from tests.simlab.node.fake_kbs import FakeKbs
from tests.simlab.node.fake_vm import FakeVm
from tests.simlab.node.node_host import PLAIN, SEV, edit, install

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from simlab.node.host import Host

SECRET = "Unable to acquire launch secret from KBS: "
SESSION = "/tmp/sev/launch-1"  # noqa: S108 - on the simulated host


@pytest.fixture
def broker() -> Iterator[FakeKbs]:
    server = FakeKbs()
    yield server
    server.stop()


@pytest.fixture
def host(tmp_path: Path, broker: FakeKbs) -> Host:
    installed = install(Layout(tmp_path))
    edit(installed, SEV, "localhost:44444", broker.address)
    chain = installed.local("/opt/sev/cert_chain.cert")
    chain.parent.mkdir(parents=True)
    chain.write_bytes(b"chain")
    image = firmware.build("edk2")
    installed.local("/opt/confidential-containers/share/ovmf/OVMF.fd").write_bytes(image)
    return installed


def create(host: Host, configuration: str = SEV, **annotations: str) -> KataShim:
    given = {f"io.katacontainers.{key}": value for key, value in annotations.items()}
    shim = KataShim(host, "a" * 64, configuration, given, cast("Any", FakeVm))

    async def run() -> None:
        await shim.create()

    asyncio.run(run())
    return shim


def refusal(host: Host) -> str:
    with pytest.raises(RpcError) as failure:
        create(host)
    assert FakeVm.last.stopped
    return failure.value.description


def test_attested_launch(host: Host, broker: FakeKbs) -> None:
    shim = create(host)
    assert shim.configuration is not None
    assert broker.bundles[0].CertificateChain == base64.b64encode(b"chain").decode()
    request = broker.secrets[0]
    assert (request.LaunchId, request.LaunchMeasurement) == ("launch-1", "measurement")
    assert (request.ApiMajor, request.ApiMinor, request.BuildId, request.LaunchDescription) == (
        1,
        42,
        42,
        "shim launch",
    )
    machine = FakeVm.last.machine
    assert machine.sev is not None
    assert machine.sev.session_file == f"{SESSION}/session_file.b64"
    details = request.SecretRequests[0]
    assert (details.Format, details.SecretType, details.Id) == ("JSON", "connection", "KEYSET-1")
    assert FakeVm.last.injected == ("header", "data")
    assert FakeVm.last.log == ["start", "cont", "agent", "CreateSandbox"]
    assert not host.local(SESSION).exists()


def test_a_file_in_the_place_of_the_launch_folders_is_told(host: Host, broker: FakeKbs) -> None:
    folders = host.local(attestation.LAUNCH_FOLDERS)
    folders.parent.mkdir()
    folders.write_text("in the way")
    with pytest.raises(RpcError, match="attestation directory: mkdir /tmp/sev: not a directory") as failure:
        create(host)
    assert failure.value.code == "Unknown"
    assert broker.secrets == []


def test_digest_follows_files_and_command_line(host: Host, broker: FakeKbs) -> None:
    create(host)
    edit(host, SEV, "verification=false ", "verification=false nonce=1")
    create(host)
    host.local(
        "/opt/confidential-containers/share/kata-containers/kata-containers-initrd-sev.img"
    ).write_bytes(b"x")
    create(host)
    assert len({request.FwDigest for request in broker.secrets}) == 3


def test_sev_es_digest_counts_the_vcpus(host: Host, broker: FakeKbs) -> None:
    edit(host, SEV, "sev_guest_policy = 0", "sev_guest_policy = 4")
    create(host)
    edit(host, SEV, "default_vcpus = 1", "default_vcpus = 2")
    create(host)
    assert broker.secrets[0].FwDigest != broker.secrets[1].FwDigest
    assert broker.secrets[0].Policy == 4


def test_broker_that_dies_between_bundle_and_secret(host: Host, broker: FakeKbs) -> None:
    class Dying(FakeVm):
        async def launch_measure(self) -> str:
            await asyncio.to_thread(broker.stop)
            return "measurement"

    shim = KataShim(host, "a" * 64, SEV, {}, cast("Any", Dying))
    with pytest.raises(RpcError) as failure:
        asyncio.run(shim.create())
    text = failure.value.description
    assert text.startswith(
        f'{SECRET}rpc error: code = Unavailable desc = connection error: desc = "transport: '
    )
    assert text.endswith(f'dial tcp 127.0.0.1:{broker.port}: connect: connection refused"')
    assert host.local(SESSION).exists(), "a failed launch leaves its session"


def test_broker_that_does_not_answer(host: Host, broker: FakeKbs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kbs, "SECONDS", 0.3)
    broker.on_secret = lambda _: cast("None", broker.released.wait(10))
    text = refusal(host)
    assert text == f"{SECRET}rpc error: code = DeadlineExceeded desc = context deadline exceeded"


def test_broker_that_hangs_up(host: Host, broker: FakeKbs) -> None:
    def hang_up(context: grpc.ServicerContext) -> None:
        context.abort(grpc.StatusCode.UNAVAILABLE, "Socket closed")

    broker.on_secret = hang_up
    assert refusal(host) == f"{SECRET}rpc error: code = Unavailable desc = error reading from server: EOF"


def test_refusal_in_the_brokers_words(host: Host, broker: FakeKbs) -> None:
    def refuse(context: grpc.ServicerContext) -> None:
        context.abort(grpc.StatusCode.INTERNAL, "Policy validation failed: build id not valid")

    broker.on_secret = refuse
    text = "rpc error: code = Internal desc = Policy validation failed: build id not valid"
    assert refusal(host) == SECRET + text


def test_secret_that_qemu_refuses(host: Host) -> None:
    host.local("/root").mkdir()
    host.local("/root/too-long").touch()
    assert refusal(host) == "QMP command failed: SEV: failed to inject secret"


def test_unattested_guest_asks_nobody(host: Host, broker: FakeKbs) -> None:
    edit(host, SEV, "guest_pre_attestation = true", "guest_pre_attestation = false")
    create(host)
    assert broker.bundles == []
    assert FakeVm.last.machine.sev is not None
    assert FakeVm.last.machine.sev.session_file == ""
    assert "cont" not in FakeVm.last.log


def test_plain_guest(host: Host) -> None:
    create(host, PLAIN)
    assert FakeVm.last.machine.sev is None


def test_the_pods_configuration_wins(host: Host) -> None:
    host.local("/root").mkdir()
    host.local("/root/own.toml").write_bytes(host.read(SEV))
    shim = create(host, PLAIN, config_path="/root/own.toml")
    assert shim.configuration is not None
    assert shim.configuration.path == "/root/own.toml"


def test_digest_needs_the_firmwares_hash_table(host: Host) -> None:
    shim = create(host)
    assert shim.configuration is not None
    host.local(shim.configuration.firmware).write_bytes(firmware.build("edk2", hash_table=False))
    with pytest.raises(Exception, match="Could not calculate SEV/SEV-ES launch digest"):
        launch_digest(host, shim.configuration, "")
