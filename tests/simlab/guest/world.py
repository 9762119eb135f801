"""What a guest needs around it (network, internet, platform, key broker), and a VM to drive."""

from __future__ import annotations

import base64
import itertools
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from simlab import addresses, artifacts, pki
from simlab.artifacts import cpio, initrd
from simlab.images import catalog
from simlab.images.store import Store
from simlab.layout import Layout
from simlab.machine import sandbox
from simlab.psp import platform
from simlab.release import paths, versions
from simlab.sev.packets import Measurement

if TYPE_CHECKING:
    from simlab.images.oci import Image
    from simlab.sev.owner import Owner, Verified

SECONDS = 20
QEMU = paths.QEMU
ONLINE = "1ee27366-0c87-43a6-af48-28543eaf7cb0"
OFFLINE = "e6f5a162-d67f-4750-a67c-5d065f2a9910"
KBS = f"{addresses.HOST_IP}:{addresses.KBS_PORT}"
BUSYBOX = "docker.io/haosanzi/busybox-v1:encrypted"
NO_KEY = "failed to async handle layer: failed to get decrypt key failed to retrive decrypt key!"
PLAIN_PARAMETERS = "agent.enable_signature_verification=false"
STOCK_PARAMETERS = "agent.config_file=/etc/agent-config.toml agent.enable_signature_verification=false"
_NETWORK = (
    f"ip link set lo up && ip addr add {addresses.INTERNET_IP}/32 dev lo"
    f" && ip addr add {addresses.HOST_IP}/32 dev lo && echo $$ && exec sleep infinity"
)


def until(condition: Any, what: str) -> Any:
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        if (result := condition()) is not None:
            return result
        time.sleep(0.01)
    raise AssertionError(f"{what}: not within {SECONDS} s")


class World:
    """A lab's folder and, in a network namespace, its internet, platform and a stub of the key broker."""

    def __init__(self, root: Path) -> None:
        self.layout = Layout(root)
        self._processes: list[subprocess.Popen[Any]] = []
        pki.create(self.layout, 6443)
        built = artifacts.build(self.layout)
        catalog.publish(self.layout, Path("/bin/busybox"))
        for path, source in built.by_host_path(versions.DEFAULT.kata).items():
            self.put(path, source.read_bytes())
        cpuinfo = sandbox.kernel_folder(self.layout) / "cpuinfo"
        cpuinfo.parent.mkdir(parents=True)
        cpuinfo.write_text("processor\t: 0\ncpu family\t: 25\nmodel\t\t: 1\nstepping\t: 1\n\n")
        self.platform = platform.create(self.layout.platform)
        parameters = self.local("/sys/module/kvm_amd/parameters")
        parameters.mkdir(parents=True)
        (parameters / "sev_es").write_text("1\n")
        self.kbs_state = self.layout.world / "kbs.json"
        self.stock_kbs()

    def __enter__(self) -> Self:
        try:
            self._bring_up()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _bring_up(self) -> None:
        argv = ["bwrap", "--unshare-user", "--uid", "0", "--gid", "0", "--unshare-net", "--cap-add", "ALL"]
        argv += ["--dev-bind", "/", "/", "--die-with-parent", "--", "sh", "-c", _NETWORK]
        holder = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
        self._processes.append(holder)
        assert holder.stdout
        pid = holder.stdout.readline().strip()
        # Whatever kills the tests, nothing of this stays.
        self.inside = ["nsenter", f"--target={pid}", "--user", "--preserve-credentials", "--net", "--"]
        self.inside += ["setpriv", "--pdeathsig", "KILL"]
        state = ["--state", str(self.layout.platform), "--socket", str(self.layout.psp_socket)]
        self._start("simlab.psp", *state)
        self._start("simlab.internet", "--root", str(self.layout.root))
        self._start("tests.simlab.guest.stub_kbs", KBS, str(self.kbs_state))
        until(lambda: self.layout.psp_socket.exists() or None, "the platform")
        for port in (f"{addresses.INTERNET_IP}/443", KBS.replace(":", "/")):
            argv = [*self.inside, "bash", "-c", f"exec 2>&- 3<>/dev/tcp/{port}"]
            until(lambda argv=argv: subprocess.run(argv, check=False).returncode == 0 or None, port)

    def __exit__(self, *_: object) -> None:
        for process in reversed(self._processes):
            process.kill()
            process.wait()

    def put(self, path: str, data: bytes) -> None:
        target = self.layout.host / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)

    def local(self, path: str) -> Path:
        return self.layout.host / path.lstrip("/")

    def demo_initrd(self, name: str) -> str:
        path = f"{paths.KATA_SHARE}/{name}"
        source = self.layout.internet / artifacts.DEMO_HOST / artifacts.DEMO_FOLDER / name
        self.put(path, source.read_bytes())
        return path

    def publish(self, repository: str, tag: str, image: Image) -> str:
        Store(self.layout.registry / "docker.io").put_image(repository, tag, image)
        return f"docker.io/{repository}:{tag}"

    def stock_kbs(self, **changes: Any) -> None:
        self.connection = {"client_id": str(uuid.uuid4()), "key": base64.b64encode(os.urandom(32)).decode()}
        state = {
            "connections": {self.connection["client_id"]: self.connection["key"]},
            "keys": {versions.DEFAULT.image.key_id: base64.b64encode(versions.DEFAULT.image.key).decode()},
        }
        self.kbs_state.write_text(json.dumps(state | changes))
        self.kbs_state.with_suffix(".log").unlink(missing_ok=True)

    def kbs_requests(self) -> list[list[str]]:
        log = self.kbs_state.with_suffix(".log")
        return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []

    def _start(self, module: str, *arguments: str) -> None:
        self._processes.append(subprocess.Popen([*self.inside, sys.executable, "-m", module, *arguments]))


@dataclass
class Vm:
    """A VM with kata's arguments, as far as they matter here."""

    world: World
    sev_policy: int | None = None
    owner: Owner | None = None
    initrd: str = paths.SEV_INITRD
    kernel: str = paths.SEV_KERNEL
    firmware: str = versions.DEFAULT.kata.firmware
    parameters: str = ""
    vcpus: int = 1
    name: str = field(default_factory=lambda: uuid.uuid4().hex * 2)

    def __post_init__(self) -> None:
        self.folder = f"/run/vc/vm/{self.name}"
        self.world.local(self.folder).mkdir(parents=True)
        stock = PLAIN_PARAMETERS if self.sev_policy is None else STOCK_PARAMETERS
        self.cmdline = f"tsc=reliable quiet nr_cpus=4 {self.parameters or stock} nonce={self.name[:8]}"
        self.process: subprocess.Popen[str] | None = None
        self._numbers = itertools.count(1)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process:
            self.process.kill()
            self.process.communicate()
        shutil.rmtree(self.world.local(self.folder), ignore_errors=True)

    def argv(self) -> list[str]:
        argv = [QEMU, "-name", f"sandbox-{self.name}", "-uuid", str(uuid.uuid4()), "-cpu", "host,pmu=off"]
        argv += [
            "-qmp",
            f"unix:{self.folder}/qmp.sock,server=on,wait=off",
            "-m",
            "2048M,slots=10,maxmem=33792M",
        ]
        argv += ["-chardev", f"socket,id=agent,path={self.folder}/agent.sock,server=on,wait=off"]
        if self.sev_policy is None:
            image = f"memory-backend-file,id=mem0,mem-path={paths.IMAGE},size=134217728,readonly=on"
            argv += ["-machine", "q35,accel=kvm,nvdimm=on", "-device", "nvdimm,id=nv0,memdev=mem0,unarmed=on"]
            argv += ["-object", image, "-kernel", paths.KERNEL]
        else:
            argv += ["-machine", "q35,accel=kvm,kernel_irqchip=split,confidential-guest-support=sev"]
            argv += ["-object", self._sev_guest(self.sev_policy)]
            argv += ["-drive", f"if=pflash,format=raw,readonly=on,file={self.firmware}"]
            argv += ["-kernel", self.kernel, "-initrd", self.initrd]
        argv += ["-nodefaults", "--no-reboot", "-daemonize", *(["-S"] if self.owner else [])]
        argv += ["-append", self.cmdline, "-pidfile", f"{self.folder}/pid"]
        return [*argv, "-smp", f"{self.vcpus},cores=1,threads=1,sockets=4,maxcpus=4"]

    def start(self) -> Self:
        self.arguments = self.argv()
        command = [sys.executable, "-m", "simlab.guest", "--layout", str(self.world.layout.root), "--"]
        self.process = subprocess.Popen(
            [*self.world.inside, *command, *self.arguments], stderr=subprocess.PIPE, text=True
        )
        return self

    def refused(self) -> str:
        """Start a VM that must not start; returns what it said."""
        self.start()
        assert self.process
        _, errors = self.process.communicate(timeout=SECONDS)
        assert self.process.returncode == 1, errors
        return errors

    def connect(self, name: str) -> Any:
        def attempt() -> Any:
            assert self.process
            assert self.process.poll() is None, self.process.stderr and self.process.stderr.read()
            folder = os.open(self.world.local(self.folder), os.O_PATH)
            connection = socket.socket(socket.AF_UNIX)
            try:
                connection.settimeout(SECONDS)
                connection.connect(f"/proc/self/fd/{folder}/{name}")
            except OSError:
                connection.close()
                return None
            finally:
                os.close(folder)
            return connection.makefile("rw")

        return until(attempt, name)

    def call(self, method: str, **params: Any) -> Any:
        """Call the agent; returns the result, or the error's code and text as a tuple."""
        if not hasattr(self, "_agent"):
            self._agent = self.connect("agent.sock")
        request = {"id": next(self._numbers), "method": method, "params": params}
        self._agent.write(json.dumps(request) + "\n")
        self._agent.flush()
        answer = json.loads(self._agent.readline())
        assert answer["id"] == request["id"]
        return (
            answer["result"] if "result" in answer else (answer["error"]["code"], answer["error"]["message"])
        )

    def qmp(self, command: str, **arguments: Any) -> Any:
        if not hasattr(self, "_qmp"):
            self._qmp = self.connect("qmp.sock")
            assert "QMP" in json.loads(self._qmp.readline())
            self.qmp("qmp_capabilities")
        request: dict[str, Any] = {"execute": command, "arguments": arguments}
        self._qmp.write(json.dumps(request) + "\n")
        self._qmp.flush()
        while "event" in (answer := json.loads(self._qmp.readline())):
            pass
        return answer.get("return", answer.get("error", {}).get("desc"))

    def measurement(self) -> Measurement:
        return Measurement.decode(base64.b64decode(self.qmp("query-sev-launch-measure")["data"]))

    def verified(self, digest: bytes) -> Verified:
        assert self.owner
        sev = self.qmp("query-sev")
        build = bytes([sev["api-major"], sev["api-minor"], sev["build-id"]])
        return self.owner.verify(digest, build, self.measurement())

    def inject(self, digest: bytes, secret: bytes) -> Any:
        header, data = self.verified(digest).secret(secret)
        arguments = {
            "packet-header": base64.b64encode(header).decode(),
            "secret": base64.b64encode(data).decode(),
        }
        return self.qmp("sev-inject-launch-secret", **arguments)

    def run(self, image: str) -> str:
        """Pull and start an image as container c1; returns the first line that it prints."""
        pulled = self.call("PullImage", image=image, container_id="")
        assert isinstance(pulled, dict), pulled
        assert self.call("CreateContainer", container_id="c1", image=image, args=[], env={}, cwd="") is None
        assert self.call("StartContainer", container_id="c1") is None
        logs = self.call("ReadLogs", container_id="c1", offset=0)
        return base64.b64decode(logs["data"]).decode().splitlines()[0]

    def _sev_guest(self, policy: int) -> str:
        options = f"sev-guest,id=sev,cbitpos=51,reduced-phys-bits=5,policy={policy}"
        if self.owner:
            launch = self.owner.start(self.world.platform.chain.pdh)
            self.world.put(f"{self.folder}/dh", base64.b64encode(launch.public_key))
            self.world.put(f"{self.folder}/session", base64.b64encode(launch.session))
            options += f",dh-cert-file={self.folder}/dh,session-file={self.folder}/session"
        return f"{options},kernel-hashes=on"


def secret_table(guid: str, secret: bytes) -> bytes:
    entry = uuid.UUID(guid).bytes_le + (len(secret) + 20).to_bytes(4, "little") + secret
    header = uuid.UUID("1e74f542-71dd-4d66-963e-ef4287ff173b").bytes_le
    table = header + (len(entry) + 20).to_bytes(4, "little") + entry
    return table + bytes(-len(table) % 16)


def initrd_of(kbc: str, world: World, name: str) -> str:
    path = f"{paths.KATA_SHARE}/{name}"
    files = cpio.unpack(
        initrd.build_sev(versions.DEFAULT, kbc, (world.layout.pki / "internet-ca.crt").read_bytes())
    )
    world.put(path, cpio.pack(files))
    return path
