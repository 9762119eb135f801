import pytest

from lab.errors import LabError
from lab.parsers.qemu import parse_cmdline

# In the order and spelling of kata-containers CC-0.3.0, govmm; shortened by devices that nobody reads.
SEV = (
    "/opt/confidential-containers/bin/qemu-system-x86_64", "-name", "sandbox-3f2a,debug-threads=on",
    "-machine", "q35,accel=kvm,kernel_irqchip=split,confidential-guest-support=sev",
    "-object", ("sev-guest,id=sev,cbitpos=51,reduced-phys-bits=5,policy=0,dh-cert-file=/tmp/sev/1/godh.b64,"
    "session-file=/tmp/sev/1/session_file.b64,kernel-hashes=on"),
    "-drive", "if=pflash,format=raw,readonly=on,file=/opt/confidential-containers/share/ovmf/OVMF.fd",
    "-nographic", "--no-reboot", "--no-shutdown", "-S",
    "-kernel", "/share/vmlinuz", "-initrd", "/share/initrd.img",
    "-append", "tsc=reliable panic=1 -- quiet", "-smp", "1,maxcpus=8",
)  # fmt: skip


def test_an_sev_guest_is_read_whole() -> None:
    qemu = parse_cmdline("\0".join((*SEV, "")).encode())
    assert qemu.name == "sandbox-3f2a"
    assert (qemu.kernel, qemu.initrd) == ("/share/vmlinuz", "/share/initrd.img")
    assert qemu.append == "tsc=reliable panic=1 -- quiet"
    assert qemu.firmware == "/opt/confidential-containers/share/ovmf/OVMF.fd"
    assert qemu.machine["confidential-guest-support"] == "sev"
    assert qemu.sev_guest is not None
    assert qemu.sev_guest["kernel-hashes"] == "on"
    assert qemu.sev_guest["policy"] == "0"


def test_another_guest_has_its_firmware_from_bios_and_no_sev_object() -> None:
    plain = ("qemu", "-name", "sandbox-1", "-machine", "q35", "-kernel", "/k", "-append", "a", "-bios", "/b")
    qemu = parse_cmdline("\0".join(plain).encode())
    assert (qemu.firmware, qemu.sev_guest, qemu.initrd) == ("/b", None, "")


def test_a_comma_in_a_value_is_doubled() -> None:
    arguments = ("qemu", "-kernel", "k", "-append", "a", "-drive", "if=pflash,file=/a,,b/OVMF.fd")
    assert parse_cmdline("\0".join(arguments).encode()).firmware == "/a,b/OVMF.fd"


@pytest.mark.parametrize("data", [b"", b"bash\0-c\0true\0", b"\xff\xfe\0-kernel"])
def test_another_command_line_is_refused(data: bytes) -> None:
    with pytest.raises(LabError, match="no command line of kata's QEMU"):
        parse_cmdline(data)
