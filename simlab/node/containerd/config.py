"""What containerd runs with: the runtimes there are, and where their images are pulled.

It reads its file once, at its start. What it took is in `config.json` beside containerd's lists (`state`), as
the CRI plugin tells of itself in the verbose form of its status (containerd 1.6, pkg/cri/server/status.go and
pkg/cri/config/config.go), for `crictl info` to print.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, Final

from simlab.node.containerd import state
from simlab.node.rpc import RpcError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from simlab.node.host import Host

PATH: Final = "/etc/containerd/config.toml"
_DROP_IN: Final = "/etc/systemd/system/containerd.service.d/containerd-for-cc-override.conf"
_CC_BINARY: Final = "/opt/confidential-containers/bin/containerd"
_DEFAULT_SANDBOX_IMAGE: Final = "registry.k8s.io/pause:3.6"
_RUNC_TYPE: Final = "io.containerd.runc.v2"


@dataclass(frozen=True)
class Runtime:
    """One entry of `containerd.runtimes`."""

    name: str
    runtime_type: str
    cri_handler: str = ""
    pod_annotations: tuple[str, ...] = ()
    config_path: str = ""

    def passed_through(self, annotations: Mapping[str, str]) -> dict[str, str]:
        """The pod's annotations that this runtime gets to see (`pod_annotations`, patterns)."""
        return {
            key: value
            for key, value in annotations.items()
            if any(fnmatchcase(key, pattern) for pattern in self.pod_annotations)
        }


@dataclass(frozen=True)
class ContainerdConfig:
    """containerd's configuration as far as this node needs it."""

    sandbox_image: str
    default_runtime: str
    runtimes: Mapping[str, Runtime]
    confidential: bool
    """Whether the containerd that the unit starts is CoCo's fork; upstream's knows no `cri_handler`."""

    def runtime(self, handler: str) -> Runtime:
        """The runtime of a RuntimeClass' handler (empty: the default). Raises RpcError."""
        name = handler or self.default_runtime
        if name not in self.runtimes:
            # containerd 1.6 pkg/cri/server/helpers.go and sandbox_run.go, getSandboxRuntime
            reason = f'no runtime for "{name}" is configured'
            raise RpcError("Unknown", f"failed to get sandbox runtime: {reason}")
        return self.runtimes[name]


def start(host: Host) -> None:
    """Read the file, as containerd does at its start; without one, its defaults hold. Raises RpcError."""
    try:
        document = tomllib.loads(host.read_text(PATH))
    except tomllib.TOMLDecodeError as error:
        raise RpcError("Unavailable", f"containerd: failed to load TOML: {PATH}: {error}") from None
    # In a file of version 1, a plugin's table has its short name (containerd 1.6, services/server/server.go).
    cri = _dig(document, "plugins", "cri" if document.get("version", 1) == 1 else "io.containerd.grpc.v1.cri")
    section = _dig(cri, "containerd")
    runtimes = {"runc": {"runtime_type": _RUNC_TYPE}, **_dig(section, "runtimes")}
    taken = {
        "containerd": {
            "defaultRuntimeName": str(section.get("default_runtime_name", "runc")),
            "runtimes": {name: _told(table) for name, table in runtimes.items()},
        },
        "sandboxImage": str(cri.get("sandbox_image", _DEFAULT_SANDBOX_IMAGE)),
        "containerdRootDir": "/var/lib/containerd",
        "containerdEndpoint": "/run/containerd/containerd.sock",
    }
    forked = _CC_BINARY in host.read_text(_DROP_IN) and host.local(_CC_BINARY).exists()
    state.write(host, "config", [taken, {"confidential": forked}])


def load(host: Host) -> ContainerdConfig:
    """What the containerd that runs took from its file."""
    taken, program = state.read(host, "config")
    section = taken["containerd"]
    return ContainerdConfig(
        sandbox_image=taken["sandboxImage"],
        default_runtime=section["defaultRuntimeName"],
        runtimes={name: _runtime(name, table) for name, table in section["runtimes"].items()},
        confidential=program["confidential"],
    )


def _told(table: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "runtimeType": str(table.get("runtime_type", "")),
        "criHandler": str(table.get("cri_handler", "")),
        "PodAnnotations": list(table.get("pod_annotations", ())),
        "options": dict(_dig(table, "options")),
    }


def _runtime(name: str, table: Mapping[str, Any]) -> Runtime:
    return Runtime(
        name=name,
        runtime_type=table["runtimeType"],
        cri_handler=table["criHandler"],
        pod_annotations=tuple(table["PodAnnotations"]),
        config_path=str(table["options"].get("ConfigPath", "")),
    )


def _dig(table: Mapping[str, Any], *keys: str) -> Mapping[str, Any]:
    for key in keys:
        found = table.get(key, {})
        if not isinstance(found, dict):
            return {}
        table = found
    return table
