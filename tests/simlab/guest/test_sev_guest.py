"""An SEV guest: what is measured, what is injected, and which image it can then run."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import os
from typing import TYPE_CHECKING, Any

import pytest
from sevsnpmeasure import guest, vcpu_types
from sevsnpmeasure.sev_mode import SevMode

from simlab import artifacts
from simlab.artifacts import firmware
from simlab.node.kata.digest import seves_digest
from simlab.psp.client import Sev, SevError
from simlab.release import paths, versions
from simlab.sev.errors import SignatureError
from simlab.sev.owner import Owner
from tests.simlab.guest import world as w

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.simlab.guest.world import Vm, World

ES = 0x4
STOCK_KEYS = {versions.DEFAULT.image.key_id: base64.b64encode(versions.DEFAULT.image.key).decode()}


def expected_digest(vm: Vm, policy: int = 0) -> bytes:
    """What the guide's appendix computes, from the host's files and the command line; or kata for SEV-ES."""
    ovmf, kernel, initrd = (str(vm.world.local(path)) for path in (vm.firmware, vm.kernel, vm.initrd))
    if policy & ES:
        return seves_digest(ovmf, kernel, initrd, vm.cmdline, vm.vcpus, vcpu_types.cpu_sig(25, 1, 1))
    digest: bytes = guest.calc_launch_digest(SevMode.SEV, vm.vcpus, 0, ovmf, kernel, initrd, vm.cmdline, 0)
    return digest


def launched(world: World, **options: Any) -> Vm:
    return w.Vm(world, sev_policy=0, owner=Owner(0), **options).start()


@pytest.mark.parametrize("policy", [0, ES])
def test_platform_measures_what_the_shim_computes(world: World, policy: int) -> None:
    with w.Vm(world, sev_policy=policy, owner=Owner(policy), vcpus=3).start() as vm:
        vm.verified(expected_digest(vm, policy))
        with pytest.raises(SignatureError):
            vm.verified(hashlib.sha256(b"another").digest())
        sev = vm.qmp("query-sev")
        assert (sev["enabled"], sev["state"], sev["policy"]) == (True, "launch-secret", policy)


@pytest.fixture(params=["0\n", None], ids=["off", "unknown"])
def without_sev_es(world: World, request: pytest.FixtureRequest) -> Iterator[None]:
    file = world.local("/sys/module/kvm_amd/parameters/sev_es")
    before = file.read_text()
    file.unlink()
    if request.param is not None:
        file.write_text(request.param)
    yield
    file.write_text(before)


@pytest.mark.usefixtures("without_sev_es")
def test_without_sev_es_in_kvm_a_guest_that_demands_it_does_not_start(world: World) -> None:
    assert (
        "sev_kvm_init: failed to initialize ret=-25" in w.Vm(world, sev_policy=ES, owner=Owner(ES)).refused()
    )
    with w.Vm(world, sev_policy=0, owner=Owner(0)).start() as vm:
        vm.verified(expected_digest(vm))


def test_altered_command_line_is_measured(world: World) -> None:
    with launched(world) as vm:
        vm.cmdline += " altered"
        with pytest.raises(SignatureError):
            vm.verified(expected_digest(vm))


def test_offline_kbc_decrypts_and_asks_nobody(world: World) -> None:
    with launched(world, initrd=world.demo_initrd(artifacts.DEMO_OFFLINE)) as vm:
        table = w.secret_table(w.OFFLINE, json.dumps(STOCK_KEYS).encode())
        assert vm.inject(expected_digest(vm), table) == {}
        assert vm.qmp("cont") == {}
        assert vm.run(w.BUSYBOX) == "encrypted busybox is up"
        assert world.kbs_requests() == []
        assert vm.qmp("query-sev")["state"] == "running"


def test_online_kbc_asks_the_broker_with_a_guid_of_its_own(world: World) -> None:
    parameters = f"{w.STOCK_PARAMETERS} agent.aa_kbc_params=online_sev_kbc::{w.KBS}"
    with launched(world, initrd=world.demo_initrd(artifacts.DEMO_ONLINE), parameters=parameters) as vm:
        vm.inject(expected_digest(vm), w.secret_table(w.ONLINE, json.dumps(world.connection).encode()))
        vm.qmp("cont")
        assert vm.run(w.BUSYBOX) == "encrypted busybox is up"
    requests = world.kbs_requests()
    assert [request[2:] for request in requests] == [["resource", "Credential"], ["key", "key_id1"]]
    assert {request[0] for request in requests} == {world.connection["client_id"]}
    assert len({request[1] for request in requests}) == 2


def pulled_online(world: World, secret_guid: str = w.ONLINE, kbs: str = w.KBS) -> Any:
    parameters = f"{w.STOCK_PARAMETERS} agent.aa_kbc_params=online_sev_kbc::{kbs}"
    with launched(world, parameters=parameters) as vm:
        vm.inject(expected_digest(vm), w.secret_table(secret_guid, json.dumps(world.connection).encode()))
        vm.qmp("cont")
        return vm.call("PullImage", image=w.BUSYBOX)


def test_online_refusals_all_look_alike(world: World) -> None:
    no_key = ("INTERNAL", w.NO_KEY)
    assert isinstance(pulled_online(world), dict)  # the control
    assert pulled_online(world, secret_guid=w.OFFLINE) == no_key
    assert pulled_online(world, kbs=f"{w.KBS[:-1]}5") == no_key
    world.stock_kbs(keys={})
    assert pulled_online(world) == no_key
    world.stock_kbs(wrong_guid=True)
    assert pulled_online(world) == no_key
    world.stock_kbs()
    world.connection["key"] = base64.b64encode(os.urandom(32)).decode()
    assert pulled_online(world) == no_key


def test_wrong_key_fails_in_decryption_and_nowhere_else(world: World) -> None:
    text = "failed to async handle layer: failed to async_get_plaintext_layer: "
    wrong = {versions.DEFAULT.image.key_id: base64.b64encode(os.urandom(32)).decode()}
    world.stock_kbs(keys=wrong)
    for code, message in (pulled_online(world), pulled_offline(world, wrong)):
        assert code == "INTERNAL"
        assert message.startswith(text)


def pulled_offline(world: World, keys: dict[str, str], secret_guid: str = w.OFFLINE, **options: Any) -> Any:
    with launched(world, **{"initrd": world.demo_initrd(artifacts.DEMO_OFFLINE)} | options) as vm:
        vm.inject(expected_digest(vm), w.secret_table(secret_guid, json.dumps(keys).encode()))
        vm.qmp("cont")
        return vm.call("PullImage", image=w.BUSYBOX)


def test_offline_refusals(world: World) -> None:
    no_key = ("INTERNAL", w.NO_KEY)
    assert isinstance(pulled_offline(world, STOCK_KEYS), dict)  # the control
    assert pulled_offline(world, STOCK_KEYS, secret_guid=w.ONLINE) == no_key
    assert pulled_offline(world, {"another": STOCK_KEYS[versions.DEFAULT.image.key_id]}) == no_key
    # The parameter that the guide's online steps leave behind overrides the initrd's own setting …
    online = f"{w.STOCK_PARAMETERS} agent.aa_kbc_params=online_sev_kbc::{w.KBS}"
    assert pulled_offline(world, STOCK_KEYS, parameters=online) == no_key
    # … and the initrd that CoCo ships has no offline KBC.
    offline = f"{w.STOCK_PARAMETERS} agent.aa_kbc_params=offline_sev_kbc::null"
    assert pulled_offline(world, STOCK_KEYS, parameters=offline, initrd=paths.SEV_INITRD) == no_key


def test_without_a_secret_there_is_no_key(world: World) -> None:
    with w.Vm(world, sev_policy=0).start() as vm:
        assert vm.call("PullImage", image=w.BUSYBOX) == ("INTERNAL", w.NO_KEY)


def test_secret_longer_than_its_area_keeps_the_guest_from_booting(world: World) -> None:
    keys = STOCK_KEYS | {f"filler{number}": STOCK_KEYS[versions.DEFAULT.image.key_id] for number in range(60)}
    with launched(world, initrd=world.demo_initrd(artifacts.DEMO_OFFLINE)) as vm:
        table = w.secret_table(w.OFFLINE, json.dumps(keys).encode())
        assert firmware.SECRET_AREA_SIZE < len(table) < 16384
        assert vm.inject(expected_digest(vm), table) == {}
        vm.qmp("cont")
        console = world.layout.log / f"guest-{vm.name[:12]}.log"
        w.until(lambda: "Access Denied" in console.read_text() or None, "the firmware's refusal")
        assert not (world.local(vm.folder) / "agent.sock").exists()


def test_secret_that_the_platform_refuses(world: World) -> None:
    with launched(world) as vm:
        too_long = vm.inject(expected_digest(vm), bytes(16400))
        assert too_long == "SEV: failed to inject secret ret=-22 fw_error=0 ''"
        header, data = vm.verified(expected_digest(vm)).secret(bytes(32))
        arguments = {
            "packet-header": base64.b64encode(header).decode(),
            "secret": base64.b64encode(bytes(len(data))).decode(),
        }
        refusal = vm.qmp("sev-inject-launch-secret", **arguments)
        assert refusal == "SEV: failed to inject secret ret=-5 fw_error=11 'Bad measurement'"
        vm.qmp("cont")
        assert "Not in correct state" in vm.qmp("sev-inject-launch-secret", **arguments)


def test_firmware_without_hash_table_is_refused(world: World) -> None:
    path = "/opt/confidential-containers/share/ovmf/OVMF.general.fd"
    world.put(path, firmware.build("edk2", hash_table=False))
    with w.Vm(world, sev_policy=0, firmware=path) as vm:
        assert vm.refused() == (
            "qemu-system-x86_64: SEV: kernel specified but guest firmware has no hashes table GUID\n"
        )


def test_without_an_asid_left_no_guest_starts(world: World) -> None:
    with Sev(world.layout.psp_socket) as sev:
        with contextlib.suppress(SevError):
            while True:
                sev.launch_start(0, b"", b"")
        with w.Vm(world, sev_policy=0) as vm:
            assert "sev_kvm_init: failed to initialize ret=-16 fw_error=0 ''" in vm.refused()


def test_session_for_another_policy_is_refused(world: World) -> None:
    with w.Vm(world, sev_policy=1, owner=Owner(0)) as vm:
        assert "LAUNCH_START ret=1 fw_error=11 'Bad measurement'" in vm.refused()


def test_missing_file_is_named(world: World) -> None:
    with w.Vm(world, sev_policy=0, kernel="/no/such/kernel") as vm:
        assert "No such file or directory" in vm.refused()


def test_exec_is_blocked(world: World) -> None:
    with w.Vm(world, sev_policy=0).start() as vm:
        answer = vm.call("ExecProcess", container_id="c1", args=["sh"])
        assert answer == ("UNIMPLEMENTED", "ExecProcessRequest is blocked")


def test_missing_agent_configuration_keeps_the_agent_down(world: World) -> None:
    parameters = "agent.config_file=/etc/no-such.toml"
    with w.Vm(world, sev_policy=0, parameters=parameters).start() as vm:
        vm.qmp("query-status")
        console = world.layout.log / f"guest-{vm.name[:12]}.log"
        w.until(lambda: "/etc/no-such.toml: No such file" in console.read_text() or None, "the agent's end")
        assert not (world.local(vm.folder) / "agent.sock").exists()


def test_no_secret_in_the_console_log(world: World) -> None:
    pulled_online(world)
    secrets = (world.connection["key"], STOCK_KEYS[versions.DEFAULT.image.key_id])
    for log in world.layout.log.glob("guest-*.log"):
        assert not any(secret in log.read_text() for secret in secrets)
