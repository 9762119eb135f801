"""Who pulls a pod's image: the guest or the host, by what containerd is told of the runtime."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from simlab.layout import Layout
from simlab.node.containerd import config
from simlab.node.containerd.cri import Cri
from simlab.node.containerd.images import HostImage
from simlab.node.containerd.records import SandboxConfig
from simlab.node.image_pull import ImagePuller
from simlab.node.kata.shim import KataShim
from tests.simlab.node.fake_vm import FakeVm
from tests.simlab.node.node_host import PLAIN, edit, install

if TYPE_CHECKING:
    from pathlib import Path

    from simlab.node.host import Host

WANTED = SandboxConfig("p", "default", "u", 0, {}, {})


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return install(Layout(tmp_path))


def new_shim(host: Host, sandbox_id: str, config_path: str, annotations: dict[str, str]) -> KataShim:
    return KataShim(host, sandbox_id, config_path, annotations, cast("Any", FakeVm))


def pulls_in_guest(host: Host) -> bool:
    async def run() -> bool:
        cri = Cri(host, new_shim)
        sandbox = await cri.run_pod_sandbox(WANTED, "kata", lambda: None)
        await cri.shut_down()
        return sandbox.pulls_in_guest

    config.start(host)
    return asyncio.run(run())


def test_the_guest_pulls_as_released(host: Host) -> None:
    assert pulls_in_guest(host)


def test_kata_has_no_say_in_it(host: Host) -> None:
    edit(host, PLAIN, "service_offload = true", "service_offload = false")
    assert pulls_in_guest(host)


def test_a_runtime_without_the_handler_leaves_it_to_the_host(host: Host) -> None:
    edit(host, config.PATH, 'cri_handler = "cc"', "")
    assert not pulls_in_guest(host)


@pytest.mark.parametrize(("policy", "pulled"), [("IfNotPresent", False), ("Always", True)])
def test_what_the_host_has_the_guest_is_not_asked_to_pull(
    host: Host, monkeypatch: pytest.MonkeyPatch, policy: str, pulled: bool
) -> None:
    async def run() -> list[str]:
        cri = Cri(host, new_shim)
        sandbox = await cri.run_pod_sandbox(WANTED, "kata", lambda: None)
        monkeypatch.setattr(cri.images, "find", lambda name: HostImage("id", name, {}))
        events: Any = SimpleNamespace(pod=lambda *_: None)
        wanted = {"name": "c", "image": "nginx:1.22.0", "imagePullPolicy": policy}
        await ImagePuller(cri, events).ensure({"metadata": {"name": "p"}}, wanted, sandbox)
        await cri.shut_down()
        return FakeVm.last.log

    config.start(host)
    assert ("PullImage" in asyncio.run(run())) is pulled
