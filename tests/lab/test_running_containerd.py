from __future__ import annotations

import json
from typing import Any

import pytest

from lab.changes.containerd import SandboxImage
from lab.containerd import PATH, ContainerdConfiguration, require_runtime
from lab.errors import NotProven
from lab.node import CRICTL
from lab.running_containerd import RunningContainerd
from tests.lab.said import SayingHost

FILE = """version = 2
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "mirror/pause:3.1"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.kata]
  cri_handler = "cc"
  runtime_type = "io.containerd.kata.v2"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.kata-qemu-sev]
  runtime_type = "io.containerd.kata.v2"
"""


def running(image: str, *runtimes: str) -> str:
    taken: dict[str, Any] = {
        "sandboxImage": image,
        "containerd": {"runtimes": {name: {} for name in runtimes}},
    }
    return json.dumps({"status": {"conditions": []}, "config": taken, "lastCNILoadStatus": "OK"})


def test_a_containerd_that_was_not_restarted_has_the_earlier_sandbox_image() -> None:
    host = SayingHost({"if [ -e": ""}, {PATH: FILE.encode()})
    told = f"{CRICTL} info"
    restarts: list[str] = []
    change = SandboxImage(host.as_host, "mirror/pause:3.1", lambda: restarts.append("x"))
    host.says[told] = (1, "connect: connect endpoint: context deadline exceeded")
    assert change.look().holds  # it will read its file when it starts
    host.says[told] = running("registry.k8s.io/pause:3.6")
    assert not change.look().holds
    assert "the running containerd uses registry.k8s.io/pause:3.6" in change.look().found
    change.apply()
    host.says[told] = running("mirror/pause:3.1")
    assert (change.look().holds, restarts) == (True, ["x"])


def test_a_containerd_that_was_not_restarted_has_not_the_runtimes() -> None:
    found = RunningContainerd.parse(running("x", "runc", "kata"))
    assert found is not None
    assert found.missing_runtimes(["kata"]) is None
    assert "no runtime kata-qemu-sev, as it was started before" in str(
        found.missing_runtimes(["kata", "kata-qemu-sev"])
    )


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"config": null}'])
def test_a_containerd_that_tells_no_configuration_is_not_judged_by_it(text: str) -> None:
    assert RunningContainerd.parse(text) is None


def test_a_sandbox_image_that_is_not_told_is_not_judged() -> None:
    found = RunningContainerd.parse('{"config": {"containerd": {}}}')
    assert found is not None
    assert found.other_sandbox_image("x") is None


def test_a_runtime_is_as_the_installer_writes_it() -> None:
    configuration = ContainerdConfiguration.parse(FILE.encode())
    assert configuration.runtime_faults(["kata"]) == []
    type_, handler, missing = configuration.runtime_faults(["kata-qemu-sev", "kata-clh"])
    assert "runtime_type 'io.containerd.kata.v2', and not 'io.containerd.kata-qemu-sev.v2'" in type_
    assert handler == f"the runtime kata-qemu-sev in {PATH} has cri_handler None, and not 'cc'"
    assert missing == f"{PATH} has no runtime kata-clh"


def test_a_runtime_of_another_s_is_one_clause_s_business() -> None:
    host = SayingHost({"systemctl is-active containerd": "active\n"}, {PATH: FILE.encode()})
    require_runtime(host.as_host, "kata")
    with pytest.raises(NotProven, match="cri_handler None") as refused:
        require_runtime(host.as_host, "kata-qemu-sev")
    assert refused.value.owner == "O-3.1"
    host.says["systemctl is-active containerd"] = "inactive\n"
    with pytest.raises(NotProven, match="containerd is inactive") as stopped:
        require_runtime(host.as_host, "kata")
    assert stopped.value.owner == "C-4.3"
