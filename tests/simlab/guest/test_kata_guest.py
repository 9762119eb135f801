"""A guest that is not confidential, and what every guest has in common."""

from __future__ import annotations

import base64
import re
import signal
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from simlab.images import layer, oci
from simlab.images.store import Store
from tests.simlab.guest import world as w

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.simlab.guest.world import Vm, World

NGINX = "bitnami/nginx:1.22.0"


@pytest.fixture
def own_vm(world: World) -> Iterator[Vm]:
    with w.Vm(world).start() as vm:
        yield vm


@pytest.fixture(scope="module")
def vm(world_of_session: World) -> Iterator[Vm]:
    """A VM for all tests that leave it running; each names its containers as no other does."""
    with w.Vm(world_of_session).start() as vm:
        yield vm


def text(answer: dict[str, str], field: str = "data") -> str:
    return base64.b64decode(answer[field]).decode()


def logs(vm: Vm, container_id: str) -> dict[str, str]:
    """All that a container writes until it ends, by stream."""
    output: dict[str, str] = {}
    offset, end = 0, False
    while not end:
        part = vm.call("ReadLogs", container_id=container_id, offset=offset)
        output[part["stream"]] = output.get(part["stream"], "") + text(part)
        offset, end = offset + len(text(part)), part["eof"]
    return output


def test_nginx_serves(own_vm: Vm) -> None:
    assert own_vm.run(NGINX).startswith("nginx 08:00:00.00")
    fetch = "until wget -qO- http://127.0.0.1:8080/; do sleep 0.1; done; id -u; cat /opt/simlab/canary"
    answer = own_vm.call("ExecProcess", container_id="c1", args=["sh", "-c", fetch])
    assert answer["exit_code"] == 0
    assert "Welcome to nginx!" in text(answer, "stdout")
    assert text(answer, "stdout").endswith("0\nplain image bitnami/nginx:1.22.0\n")
    assert own_vm.call("ContainerStatus", container_id="c1")["state"] == "running"
    own_vm.call("SignalContainer", container_id="c1", signal=signal.SIGTERM)
    assert own_vm.call("WaitProcess", container_id="c1") == {"exit_code": 0}
    assert own_vm.call("RemoveContainer", container_id="c1") is None
    assert own_vm.call("ContainerStatus", container_id="c1")[0] == "NOT_FOUND"


def test_encrypted_image_does_not_open(vm: Vm) -> None:
    assert vm.call("PullImage", image=w.BUSYBOX) == ("INTERNAL", w.NO_KEY)


@pytest.mark.parametrize(
    ("image", "message"),
    [
        ("bitnami/nginx:0", "failed to pull manifest Registry error: url .*manifest unknown"),
        (
            "docker.io/none/none:1",
            "failed to pull manifest Not authorized: url https://registry-1.docker.io/v2/",
        ),
        (
            "192.168.122.10:1/a:1",
            "failed to pull manifest error sending request .*: tcp connect error: Connection refused",
        ),
        ("A:B:C", "invalid reference format"),
    ],
)
def test_image_that_cannot_be_pulled(vm: Vm, image: str, message: str) -> None:
    code, said = vm.call("PullImage", image=image)
    assert code == "INTERNAL"
    assert re.match(message, said)


def test_a_layer_that_the_registry_does_not_give_whole(vm: Vm, world: World) -> None:
    packed = layer.pack({"x": layer.Entry(b"x")})
    built = oci.Layer(layer.compress(packed), layer.digest(packed))
    image = world.publish("own/damaged", "1", oci.build([built], {}))
    blob = Store(world.layout.registry / "docker.io").blob_path(layer.digest(built.blob))
    assert blob
    failed = (
        f"failed to async handle layer: layer digest {built.diff_id}: hasher sha256 : channel: read failed"
    )
    for data, cause in (
        (b"not gzip", "Invalid gzip header"),
        (built.blob[:20] + bytes(9), "DecompressError"),
    ):
        blob.write_bytes(data)
        code, said = vm.call("PullImage", image=image)
        assert code == "INTERNAL"
        assert said.startswith(failed)
        assert cause in said
    # An error's text is taken for the layer, too.
    blob.unlink()
    assert "Invalid gzip header" in vm.call("PullImage", image=image)[1]


def test_own_command_environment_and_folder(vm: Vm) -> None:
    vm.call("PullImage", image=NGINX)
    script = 'echo "$A $APP_VERSION $PWD"; echo oops >&2; exit 3'
    vm.call(
        "CreateContainer",
        container_id="c",
        image=NGINX,
        args=["sh", "-c", script],
        env={"A": "b"},
        cwd="/opt",
    )
    vm.call("StartContainer", container_id="c")
    assert vm.call("WaitProcess", container_id="c") == {"exit_code": 3}
    assert logs(vm, "c") == {"stdout": "b 1.22.0 /opt\n", "stderr": "oops\n"}


def test_containers_do_not_share_their_files_or_processes(vm: Vm) -> None:
    vm.call("PullImage", image=NGINX)
    for name, script in (("one", "echo x >/opt/new; sleep 60"), ("two", "ls /opt; ps | wc -l")):
        vm.call("CreateContainer", container_id=name, image=NGINX, args=["sh", "-c", script])
        vm.call("StartContainer", container_id=name)
    said = logs(vm, "two")["stdout"].split()
    assert "new" not in said
    assert int(said[-1]) < 6


def test_program_that_does_not_exist(vm: Vm) -> None:
    vm.call("PullImage", image=NGINX)
    answer = vm.call("CreateContainer", container_id="c0", image=NGINX, args=["/no/such"])
    assert answer == ("INTERNAL", "No such file or directory (os error 2)")


def test_rootfs_that_the_host_shares(vm: Vm, world: World) -> None:
    world.put("/run/rootfs/bin/busybox", Path("/bin/busybox").read_bytes())
    world.local("/run/rootfs/bin/busybox").chmod(0o755)
    args = ["/bin/busybox", "echo", "shared"]
    vm.call("CreateContainer", container_id="c1", image="", args=args, rootfs="/run/rootfs")
    vm.call("StartContainer", container_id="c1")
    assert text(vm.call("ReadLogs", container_id="c1", offset=0)) == "shared\n"


def test_pause_is_in_the_guest(vm: Vm) -> None:
    image = "registry.cn-hangzhou.aliyuncs.com/google_containers/pause:3.1"
    assert vm.call("PullImage", image=image)["image_ref"] == image
    assert vm.call("CreateContainer", container_id="p", image=image) is None
    assert vm.call("StartContainer", container_id="p") is None
    vm.call("SignalContainer", container_id="p", signal=signal.SIGKILL)
    assert vm.call("WaitProcess", container_id="p") == {"exit_code": 137}


def test_process_list_shows_qemu(vm: Vm) -> None:
    vm.call("CreateSandbox")
    assert vm.process
    proc = Path(f"/proc/{vm.process.pid}")
    assert (proc / "cmdline").read_bytes() == b"".join(part.encode() + b"\0" for part in vm.arguments)
    assert (proc / "comm").read_text() == "qemu-system-x86\n"


def test_the_guides_pipeline_finds_the_command_line(vm: Vm) -> None:
    vm.call("CreateSandbox")
    assert vm.process
    # One VM: others on this machine belong to other tests.
    pipeline = (
        f"qemu_process=$(ps -ww -o user,pid,args -p {vm.process.pid} | grep qemu | grep append);"
        r""" echo ${qemu_process} | sed "s|.*-append \(.*$\)|\1|g" | sed "s| -.*$||" """
    )
    shown = subprocess.run(["bash", "-c", pipeline], check=True, capture_output=True, text=True, timeout=20)
    assert shown.stdout == vm.cmdline + "\n"


def test_monitor_speaks_qmp(vm: Vm) -> None:
    assert vm.qmp("query-status") == {"running": True, "singlestep": False, "status": "running"}
    assert vm.qmp("query-sev")["enabled"] is False
    assert vm.qmp("query-sev-launch-measure") == "SEV launch measurement is not available"
    assert vm.qmp("nonsense") == "The command nonsense has not been found"


def test_quit_leaves_nothing(own_vm: Vm, world: World) -> None:
    own_vm.run(NGINX)
    pid = own_vm.call("ContainerStatus", container_id="c1")["pid"]
    folder = world.layout.world / "guests" / f"sandbox-{own_vm.name}"
    assert folder.is_dir()
    assert own_vm.qmp("quit") == {}
    assert own_vm.process
    assert own_vm.process.wait(w.SECONDS) == 0
    assert not folder.exists()
    assert not Path(f"/proc/{pid}").exists()


def test_killed_guest_takes_its_containers_along_and_the_next_one_cleans_up(own_vm: Vm, world: World) -> None:
    own_vm.run(NGINX)
    pid = own_vm.call("ContainerStatus", container_id="c1")["pid"]
    assert own_vm.process
    own_vm.process.kill()
    own_vm.process.wait()
    w.until(lambda: not Path(f"/proc/{pid}").exists() or None, "the container's end")
    folder = world.layout.world / "guests" / f"sandbox-{own_vm.name}"
    assert folder.is_dir()
    with w.Vm(world).start() as after:
        after.call("CreateSandbox")
        assert not folder.exists()
