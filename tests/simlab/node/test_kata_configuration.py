from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from simlab.layout import Layout
from simlab.node.kata import config, pod_annotations, protection
from simlab.node.kata.cmdline import kernel_parameters
from simlab.node.kata.errors import ShimError, as_status
from simlab.node.kata.qemu_args import Machine, SevLaunch, build
from tests.simlab.node.node_host import PLAIN, SEV, edit, install

if TYPE_CHECKING:
    from pathlib import Path

    from simlab.node.host import Host

AMD64 = (
    "tsc=reliable no_timer_check rcupdate.rcu_expedited=1 i8042.direct=1 i8042.dumbkbd=1 i8042.nopnp=1"
    " i8042.noaux=1 noreplace-smp reboot=k cryptomgr.notests net.ifnames=0 pci=lastbus=0"
)


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return install(Layout(tmp_path))


def test_sev_command_line(host: Host) -> None:
    assert kernel_parameters(config.load(host, SEV)) == (
        f"{AMD64} console=hvc0 console=hvc1 quiet panic=1 nr_cpus={host.cpus()} selinux=0 scsi_mod.scan=none"
        " agent.config_file=/etc/agent-config.toml agent.enable_signature_verification=false"
    )


def test_command_line_of_a_guest_with_an_image_and_debugging(host: Host) -> None:
    edit(host, PLAIN, "[agent.kata]", "[agent.kata]\nenable_debug = true\ndebug_console_enabled = true")
    edit(host, PLAIN, "[hypervisor.qemu]", "[hypervisor.qemu]\nenable_debug = true")
    line = kernel_parameters(config.load(host, PLAIN))
    assert line.startswith(
        f"{AMD64} root=/dev/pmem0p1 rootflags=dax,data=ordered,errors=remount-ro ro rootfstype=ext4"
        " console=hvc0 console=hvc1 debug systemd.show_status=true systemd.log_level=debug panic=1"
    )
    assert (
        " scsi_mod.scan=none agent.log=debug agent.debug_console agent.debug_console_vport=1026 cc_" in line
    )


def test_parameter_without_a_value_loses_its_equals_sign(host: Host) -> None:
    edit(host, SEV, "verification=false ", "verification=false empty= a=b=c")
    assert kernel_parameters(config.load(host, SEV)).endswith("verification=false empty a=b=c")


def test_missing_files_are_told_in_the_shims_order(host: Host) -> None:
    loaded = config.load(host, SEV)
    for file in (loaded.firmware, loaded.initrd, loaded.kernel, loaded.qemu):
        host.local(file).unlink()
        with pytest.raises(ShimError) as failure:
            config.load(host, SEV)
        assert str(failure.value) == f"{SEV}: file {file} does not exist"
        assert as_status(failure.value).code == "NotFound"


def test_path_in_messages_is_the_one_behind_links(host: Host) -> None:
    host.local("/root").mkdir()
    host.local("/root").joinpath("link.toml").symlink_to(SEV)
    host.local(config.load(host, SEV).kernel).unlink()
    with pytest.raises(ShimError, match=f"{SEV}: file "):
        config.load(host, "/root/link.toml")


def test_configuration_missing(host: Host) -> None:
    with pytest.raises(ShimError) as failure:
        config.load(host, "/root/gone.toml")
    assert str(failure.value) == "Cannot find usable config file (file /root/gone.toml does not exist)"


def test_empty_initrd(host: Host) -> None:
    initrd = config.load(host, SEV).initrd
    host.local(initrd).write_bytes(b"")
    with pytest.raises(ShimError) as failure:
        config.load(host, SEV)
    assert str(failure.value) == f'image "{initrd}" is empty'


@pytest.mark.parametrize(
    "broken", ["default_vcpus = true", 'confidential_guest = "yes"', "kernel_params = 5"]
)
def test_value_of_another_type(host: Host, broken: str) -> None:
    key = broken.partition(" ")[0]
    old = next(line for line in host.read_text(SEV).splitlines() if line.startswith(key))
    edit(host, SEV, old, broken)
    with pytest.raises(ShimError, match="incompatible types"):
        config.load(host, SEV)


def test_malformed_file(host: Host) -> None:
    host.local(SEV).write_text("[hypervisor.qemu\n")
    with pytest.raises(ShimError, match="toml: "):
        config.load(host, SEV)


@pytest.mark.parametrize(("wanted", "vcpus"), [("0", 1), ("-1", 4), ("99", 4), ("3", 3)])
def test_vcpus(host: Host, wanted: str, vcpus: int) -> None:
    edit(host, SEV, "default_vcpus = 1", f"default_vcpus = {wanted}")
    assert config.load(host, SEV).vcpus == vcpus


def test_annotation_must_be_enabled(host: Host) -> None:
    name = "io.katacontainers.config.hypervisor.kernel_params"
    loaded = config.load(host, SEV)
    with pytest.raises(ShimError, match="is not enabled"):
        pod_annotations.apply(loaded, {name: "nonce=1"})
    edit(host, SEV, '["enable_iommu"]', '["enable_iommu", "kernel_params"]')
    applied = pod_annotations.apply(config.load(host, SEV), {name: "nonce=1"})
    assert kernel_parameters(applied).endswith(" nonce=1")


@pytest.mark.parametrize("text", ["0\n", "N\n", "", None])
def test_sev_off(host: Host, text: str | None) -> None:
    protection.require_sev(host)
    parameter = host.local("/sys/module/kvm_amd/parameters/sev")
    parameter.unlink()
    if text is not None:
        parameter.write_text(text)
    with pytest.raises(ShimError, match=r"doesn't support Confidential Computing"):
        protection.require_sev(host)


def test_qemu_arguments_of_an_attested_guest(host: Host) -> None:
    loaded = config.load(host, SEV)
    launch = SevLaunch(5, "/tmp/sev/x/godh.b64", "/tmp/sev/x/session_file.b64")  # noqa: S108
    argv = build(Machine("f" * 64, "uuid", "02:00:00:00:00:01", loaded, 0, launch))
    assert argv[0] == loaded.qemu
    assert "q35,accel=kvm,kernel_irqchip=split,confidential-guest-support=sev" in argv
    guest = next(item for item in argv if item.startswith("sev-guest,"))
    assert guest == (
        "sev-guest,id=sev,cbitpos=51,reduced-phys-bits=5,policy=5,dh-cert-file=/tmp/sev/x/godh.b64"
        ",session-file=/tmp/sev/x/session_file.b64,kernel-hashes=on"
    )
    assert f"if=pflash,format=raw,readonly=on,file={loaded.firmware}" in argv
    assert argv[argv.index("-append") + 1] == kernel_parameters(loaded)
    assert "-S" in argv
    assert "-bios" not in argv


def test_qemu_arguments_of_a_plain_guest(host: Host) -> None:
    loaded = config.load(host, PLAIN)
    argv = build(Machine("f" * 64, "uuid", "02:00:00:00:00:01", loaded, 123, None))
    assert "q35,accel=kvm,nvdimm=on" in argv
    assert f"memory-backend-file,id=mem0,mem-path={loaded.image},size=123,readonly=on" in argv
    assert "-S" not in argv
    assert "-initrd" not in argv
