"""What a lab consists of: every service and every preparation, with what each needs before it."""

from __future__ import annotations

import asyncio
import functools
import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from simlab import addresses, artifacts, compose, control, image_key, network, pki, real_parts, release, stage
from simlab.bringup import Step
from simlab.containers import Container
from simlab.docker import Docker
from simlab.docker_run import Wish
from simlab.engine import Engine
from simlab.faults import acts
from simlab.host_kustomize import HostKustomize
from simlab.images import catalog
from simlab.internet import git
from simlab.kube import real
from simlab.machine import access, disk, kernel, labfile, openssh, sandbox, skeleton, systemd
from simlab.machine.front_door import FrontDoor
from simlab.machine.power import Power
from simlab.machine.software import operator_sdk, repositories
from simlab.node.containerd.images import HostImages
from simlab.node.host import Host
from simlab.operator import archive
from simlab.operator import images as operator_images
from simlab.psp import platform
from simlab.service import (
    Service,
    ServiceError,
    Spec,
    file_exists,
    https_answers,
    port_accepts,
    socket_accepts,
)
from simlab.stages import Stage

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from simlab.faults.fault import Fault
    from simlab.layout import Layout
    from simlab.machine.boot import Booted

# The programs through which a fault's own ones run in the place of a component.
_STAND_IN: Final = "simlab.faults.stand_in"
_GUEST_STAND_IN: Final = "simlab.faults.guest"

_ANY: Final = "0.0.0.0"  # noqa: S104 -- as simple-kbs' Dockerfile starts it, in the lab's own network namespace


@dataclass(frozen=True)
class Sockets:
    """The listening sockets inherited from the runner's network: their descriptors, and their ports there."""

    ssh_fd: int
    ssh_port: int
    api_fd: int
    api_port: int


class Lab:
    """The services of one lab, and the order in which they come up and go down."""

    def __init__(
        self, layout: Layout, sockets: Sockets, stage: Stage = Stage.KBS, fault: Fault | None = None
    ) -> None:
        self._layout = layout
        self._fault = fault
        self._sockets = sockets
        self._stage = stage
        self._parts = real_parts.from_environment()
        for folder in (layout.world, layout.host, layout.internet, layout.registry, layout.kbs):
            folder.mkdir(parents=True, exist_ok=True)
        self.services: dict[str, Service] = {}
        kbs, base = self._kbs_container(), self._database_container()
        present = stage >= Stage.KBS
        self.engine = Engine([base, kbs], layout.host, self._on_container_removed, present=present)
        self.docker = Docker(layout, self.engine)
        self._containers = {"database": base, "kbs": kbs}
        self._control: asyncio.Server | None = None
        for spec in self._specs():
            self._add(Service(spec, layout.log / f"{spec.name}.log"))
        door = FrontDoor(layout, sockets.ssh_fd, self.services["sshd"])
        self._manager = systemd.Manager(layout, self.services, self.engine, door)
        self._power = Power(layout, self.services, self._manager, self._write_kernel)

    def steps(self) -> list[Step]:
        """Return the steps that bring the lab up, up to the lab file that says it is ready."""
        return acts.with_acts(self._own_steps(), self._fault.acts if self._fault else (), self._layout)

    def _own_steps(self) -> list[Step]:
        lab, sockets = self._layout, self._sockets
        return [
            Step("network", (), _thread(network.set_up)),
            Step("names", (), _thread(network.name_hosts, lab)),
            Step("pki", (), _thread(pki.create, lab, sockets.api_port)),
            Step("platform", (), _thread(platform.create, lab.platform)),
            Step("psp", ("platform",), self.services["psp"].start),
            Step("artifacts", ("pki",), _thread(artifacts.build, lab)),
            Step("images", (), _thread(_publish_images, lab)),
            Step("repositories", (), _thread(repositories.publish, lab)),
            Step(
                "cek",
                ("platform",),
                _thread(platform.publish, lab.platform, lab.internet / "kdsintf.amd.com"),
            ),
            Step(
                "internet",
                ("network", "names", "pki", "artifacts", "images", "repositories", "cek"),
                self.services["internet"].start,
            ),
            Step("apiserver", ("network", "pki"), self._start_api),
            Step("controllers", ("apiserver",), self.services["controllers"].start),
            Step("seed", ("apiserver",), _thread(stage.seed_cluster, lab, self._stage)),
            Step("control", (), self._open_control),
            Step("skeleton", ("pki", "platform"), _thread(skeleton.create, lab)),
            Step("compose", ("skeleton",), _thread(self._prepare_compose)),
            Step("disk", ("skeleton",), _thread(disk.write, lab, self._stage)),
            Step("kernel", ("platform", "disk"), _thread(self._power.start_kernel)),
            Step("containerd", ("disk",), _thread(self._configure_containerd)),
            Step("host", ("skeleton", "kernel", "psp", "control", "names"), self.services["host"].start),
            *self._container_steps(),
            Step("access", ("skeleton",), _thread(self._give_access)),
            Step("boot", ("access", "host", "containerd", "artifacts", "seed", "internet"), self._boot_units),
            Step("docker", ("boot", "containers"), self._start_docker),
            Step("ready", ("boot", "seed"), _thread(stage.await_node, lab, self._stage)),
            Step("chain", ("boot", "psp", "internet"), _thread(self._export_chain)),
            Step(
                "labfile",
                ("ready", "docker", "controllers", "chain"),
                _thread(labfile.write, lab, sockets.ssh_port, self._parts, self._fault),
            ),
        ]

    def _container_steps(self) -> list[Step]:
        """Return the steps after which simple-kbs' containers answer, if they are there at all."""
        if self._stage < Stage.KBS:
            return [Step("containers", (), _nothing)]
        return [
            Step("database", ("network",), functools.partial(self._start_container, "database")),
            Step("kbs", ("database", "compose"), functools.partial(self._start_container, "kbs")),
            Step("image-key", ("database",), _thread(image_key.add, self._layout)),
            Step("containers", ("kbs", "image-key"), _nothing),
        ]

    async def stop(self) -> None:
        """Stop everything, what depends on others first."""
        if self._control:
            self._control.close()
        await self._power.release()
        await self._manager.shut_down()
        await self.services["controllers"].stop()
        await asyncio.gather(*(service.stop(3) for service in self.services.values()))

    def _specs(self) -> Sequence[Spec]:
        lab, sockets = self._layout, self._sockets
        server = "simlab.machine.openssh" if self._parts.sshd else "simlab.machine.sshd"
        return [
            self._python(
                "psp",
                ["simlab.psp", "--socket", str(lab.psp_socket), "--state", str(lab.platform)],
                socket_accepts(lab.psp_socket),
            ),
            self._python(
                "internet",
                ["simlab.internet", "--root", str(lab.root)],
                port_accepts(addresses.INTERNET_IP, 443),
            ),
            *self._api_specs(),
            self._python(
                "controllers",
                ["simlab.kube.controllers", "--kubeconfig", str(lab.world / "controllers.conf")],
                _at_once,
            ),
            self._python(
                "node",
                [
                    *("simlab.node", "--root", str(lab.root), "--kubeconfig", str(lab.world / "node.conf")),
                    *(("--guest", _GUEST_STAND_IN) if self._fault and self._fault.guest else ()),
                ],
                _at_once,
            ),
            Spec("host", lambda: sandbox.holder_argv(lab), file_exists(sandbox.pid_file(lab))),
            self._python(
                "sshd",
                [server, "--root", str(lab.root), "--fd", str(sockets.ssh_fd)],
                file_exists(access.listening_file(lab)),
                fds=(sockets.ssh_fd,),
            ),
        ]

    def _api_specs(self) -> Sequence[Spec]:
        """Return the API server; a real one has its etcd before it, and after it a door to the runner."""
        lab, descriptor, assets = self._layout, self._sockets.api_fd, self._parts.kubernetes
        address = f"{addresses.HOST_IP}:{addresses.KUBE_API_PORT}"
        ready = https_answers(addresses.HOST_IP, addresses.KUBE_API_PORT, "/readyz", lab.pki / "ca.crt")
        if assets is None or (self._fault and "apiserver" in self._fault.stand_ins):
            own = ["simlab.kube.apiserver", "--fd", str(descriptor), "--pki", str(lab.pki)]
            return [self._python("apiserver", [*own, "--listen", address], ready, fds=(descriptor,))]
        relay = ["simlab.kube.relay", "--fd", str(descriptor), "--to", address]
        return [
            Spec("etcd", lambda: real.etcd_command(lab, assets), port_accepts("127.0.0.1", real.ETCD_PORT)),
            Spec("apiserver", lambda: real.apiserver_command(lab, assets), ready),
            self._python("relay", relay, _at_once, fds=(descriptor,)),
        ]

    async def _start_api(self) -> None:
        specs = self._api_specs()
        for spec in specs:
            await self.services[spec.name].start()
        if len(specs) > 1:
            await asyncio.to_thread(real.authorize, self._layout)

    def _database_container(self) -> Container:
        lab = self._layout
        spec = self._python(
            "database",
            ["simlab.database", "--root", str(lab.root)],
            port_accepts(addresses.DATABASE_IP, addresses.DATABASE_PORT),
        )
        return self._container(
            spec, "db", ("docker-entrypoint.sh", "mariadbd"), addresses.DATABASE_IP, exposed=(3306,)
        )

    def _kbs_container(self) -> Container:
        lab = self._layout
        flag = f"--grpc_sock={_ANY}:{addresses.KBS_PORT}"
        spec = self._python(
            "kbs",
            ["simlab.kbs", flag],
            port_accepts("127.0.0.1", addresses.KBS_PORT),
            env=compose.server_environment(),
            cwd=lab.kbs,
            real=self._parts.simple_kbs,
        )
        port = addresses.KBS_PORT
        return self._container(
            spec, "server", ("simple-kbs", flag), addresses.KBS_SERVER_IP, published={port: port}
        )

    def _container(
        self,
        spec: Spec,
        compose_service: str,
        command: tuple[str, ...],
        ip: str,
        *,
        published: dict[int, int] | None = None,
        exposed: tuple[int, ...] = (),
    ) -> Container:
        service = Service(spec, self._layout.log / f"{spec.name}.log")
        container = Container(
            compose_service=compose_service,
            service=service,
            image=f"simple-kbs-{compose_service}",
            command=command,
            ip=ip,
            published=published or {},
            log_folder=self._layout.host / "var/lib/docker/containers",
            exposed=exposed,
        )
        service.on_line = container.record_line
        self._add(service)
        return container

    def _python(
        self,
        name: str,
        arguments: list[str],
        ready: Callable[[], Awaitable[bool]],
        *,
        env: dict[str, str] | None = None,
        cwd: Path | None = None,
        fds: tuple[int, ...] = (),
        real: Path | None = None,
    ) -> Spec:
        """Return a service that is a module of ours, or with its arguments a stand-in or the real program."""
        program, *options = arguments
        if self._fault and name in self._fault.stand_ins:
            program, options, real = _STAND_IN, [str(self._layout.root), name, *options], None
        argv = [str(real), *options] if real else [sys.executable, "-m", program, *options]
        return Spec(name, lambda: argv, ready, env=env or {}, cwd=cwd, fds=fds)

    def _add(self, service: Service) -> None:
        self.services[service.spec.name] = service

    async def _start_container(self, name: str) -> None:
        container = self._containers[name]
        network.attach(container.ip)
        await container.service.start()
        await self.engine.start(container)

    async def _start_registry(self) -> None:
        """Do as the guide's step one: `docker run -itd -p 5000:5000 docker.io/library/registry:latest`."""
        port = addresses.LOCAL_REGISTRY_PORT
        container = await self.docker.run(Wish("docker.io/library/registry:latest", published={port: port}))
        await container.service.start()

    async def _on_container_removed(self, compose_service: str) -> None:
        # The volume has no name in the compose file, so the next container begins with the stock data.
        if compose_service == "db":
            await asyncio.to_thread(shutil.rmtree, self._layout.database)

    async def _boot_units(self) -> None:
        for failure in await self._manager.boot():
            if isinstance(failure, ServiceError):
                raise failure

    async def _start_docker(self) -> None:
        # The guide starts it and does not enable it.
        if self._stage >= Stage.CLUSTER:
            await self._manager.start(systemd.DOCKER)
            await self._start_registry()

    def _export_chain(self) -> None:
        """Do as the guide's step four before the first encrypted pod."""
        if self._stage >= Stage.WORKLOADS:
            path = "/opt/sev/cert_chain.cert"
            script = f"mkdir -p /opt/sev && sevctl export --full {path}"
            subprocess.run(
                sandbox.argv(self._layout, ["/bin/sh", "-c", script]), check=True, capture_output=True
            )

    def _prepare_compose(self) -> None:
        compose.create_container_folder(self._layout)
        if self._stage >= Stage.KBS:
            compose.clone(self._layout)

    def _give_access(self) -> None:
        access.create(self._layout, self._sockets.ssh_port)
        if self._parts.sshd:
            openssh.prepare(self._layout, self._parts.sshd)

    def _configure_containerd(self) -> None:
        if self._stage < Stage.CLUSTER:
            release.configure_default_containerd(self._layout)
        else:
            release.configure_containerd(self._layout)

    def _write_kernel(self, booted: Booted) -> None:
        firmware = platform.Firmware(**json.loads((self._layout.platform / "firmware.json").read_text()))
        kernel.write(
            self._layout,
            booted,
            api_major=firmware.api_major,
            api_minor=firmware.api_minor,
            build=firmware.build,
            asids=firmware.sev_asids,
            seves_asids=firmware.seves_asids,
        )

    async def _open_control(self) -> None:
        controlled = control.Controlled(
            self.services,
            self.engine,
            self.docker,
            HostImages(Host(self._layout)),
            HostKustomize(self._layout),
            self._manager,
            self._power,
        )
        self._control = await control.serve(sandbox.control_socket(self._layout), controlled)


def _thread(work: Callable[..., object], *arguments: object) -> Callable[[], Awaitable[None]]:
    async def run() -> None:
        await asyncio.to_thread(work, *arguments)

    return run


def _publish_images(layout: Layout) -> None:
    busybox = shutil.which("busybox")
    if busybox is None:
        raise FileNotFoundError("busybox is not installed")
    catalog.publish(layout, Path(busybox))
    operator_images.publish(layout)
    archive.publish(layout)
    operator_sdk.publish(layout)
    git.publish(layout.world / "git", compose.REPOSITORY, compose.TAG, compose.snapshot())


async def _nothing() -> None:
    """Do nothing: a name for what other steps do."""


async def _at_once() -> bool:
    """Hold for services whose being ready shows elsewhere: in what they write through the API."""
    return True
