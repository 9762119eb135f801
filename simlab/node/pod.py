"""A pod's specification in the terms of the container runtime."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from simlab import addresses
from simlab.node.containerd.records import ContainerConfig, SandboxConfig
from simlab.node.containerd.shim import Mount

if TYPE_CHECKING:
    from collections.abc import Mapping

    from simlab.kube.client import Object

_REFERENCE: Final = re.compile(r"\$(\$|\(([-._a-zA-Z][-._a-zA-Z0-9]*)\))")
DEFAULT_GRACE_SECONDS: Final = 30


def key(pod: Object) -> str:
    """`namespace/name`."""
    return f"{pod['metadata']['namespace']}/{pod['metadata']['name']}"


def uid(pod: Object) -> str:
    """The pod's uid."""
    return str(pod["metadata"]["uid"])


def path(pod: Object) -> str:
    """The pod's path in the API."""
    return f"/api/v1/namespaces/{pod['metadata']['namespace']}/pods/{pod['metadata']['name']}"


def is_deleted(pod: Object) -> bool:
    """Whether somebody asked for its deletion."""
    return "deletionTimestamp" in pod["metadata"]


def grace_seconds(pod: Object) -> float:
    """How long its containers may take to end."""
    wanted = pod["metadata"].get("deletionGracePeriodSeconds")
    if wanted is None:
        wanted = pod["spec"].get("terminationGracePeriodSeconds", DEFAULT_GRACE_SECONDS)
    return float(wanted)


def log_folder(pod: Object) -> str:
    """Folder of a pod's logs, on the host."""
    meta = pod["metadata"]
    return f"/var/log/pods/{meta['namespace']}_{meta['name']}_{meta['uid']}"


def log_path(pod: Object, container: str, attempt: int) -> str:
    """Log file of a container's attempt, on the host."""
    return f"{log_folder(pod)}/{container}/{attempt}.log"


def image_of(container: Object) -> str:
    """The image with a tag, as the kubelet asks for it (`applyDefaultImageTag`)."""
    image = str(container["image"])
    last = image.rpartition("/")[2]
    return image if ":" in last or "@" in image else f"{image}:latest"


def pull_policy(container: Object) -> str:
    """Always, IfNotPresent or Never; the API server's defaulting, for a server that leaves it out."""
    if given := container.get("imagePullPolicy"):
        return str(given)
    image = image_of(container)
    return "Always" if image.endswith(":latest") and "@" not in image else "IfNotPresent"


def sandbox_config(pod: Object, attempt: int) -> SandboxConfig:
    """What RunPodSandbox is asked for."""
    meta = pod["metadata"]
    labels = {
        **meta.get("labels", {}),
        "io.kubernetes.pod.name": meta["name"],
        "io.kubernetes.pod.namespace": meta["namespace"],
        "io.kubernetes.pod.uid": meta["uid"],
    }
    return SandboxConfig(
        meta["name"], meta["namespace"], meta["uid"], attempt, meta.get("annotations", {}), labels
    )


def container_config(
    pod: Object, container: Object, attempt: int, image_ref: str, pod_ip: str
) -> ContainerConfig:
    """What CreateContainer is asked for."""
    env = _environment(pod, container, pod_ip)
    return ContainerConfig(
        name=container["name"],
        attempt=attempt,
        image=image_of(container),
        image_ref=image_ref,
        log_path=log_path(pod, container["name"], attempt),
        command=tuple(expand(part, env) for part in container.get("command", ())),
        args=tuple(expand(part, env) for part in container.get("args", ())),
        env=env,
        working_dir=container.get("workingDir", ""),
        mounts=_mounts(pod, container),
    )


def pre_stop(pod: Object, container: str) -> tuple[str, ...]:
    """The command of a container's preStop hook; empty if there is none."""
    for one in pod["spec"]["containers"]:
        if one["name"] == container:
            hook = one.get("lifecycle", {}).get("preStop", {}).get("exec", {})
            return tuple(hook.get("command", ()))
    return ()


def expand(text: str, variables: Mapping[str, str]) -> str:
    """`$(NAME)` replaced by its value where there is one; `$$` is a dollar sign."""

    def value(match: re.Match[str]) -> str:
        if match[1] == "$":
            return "$"
        return variables.get(match[2], match[0])

    return _REFERENCE.sub(value, text)


def _mounts(pod: Object, container: Object) -> tuple[Mount, ...]:
    """The container's mounts of host paths; volumes of other kinds hold nothing that a program here reads."""
    paths = {
        volume["name"]: str(volume["hostPath"]["path"])
        for volume in pod["spec"].get("volumes", ())
        if "hostPath" in volume
    }
    return tuple(
        Mount(str(mount["mountPath"]), paths[mount["name"]], bool(mount.get("readOnly")))
        for mount in container.get("volumeMounts", ())
        if mount["name"] in paths
    )


def _environment(pod: Object, container: Object, pod_ip: str) -> dict[str, str]:
    variables: dict[str, str] = {}
    for item in container.get("env", ()):
        if "valueFrom" in item:
            field = item["valueFrom"].get("fieldRef", {}).get("fieldPath", "")
            value = _field(pod, field, pod_ip)
            if value is not None:
                variables[item["name"]] = value
        else:
            variables[item["name"]] = expand(item.get("value", ""), variables)
    return variables


def _field(pod: Object, field: str, pod_ip: str) -> str | None:
    """A field that the downward API offers as an environment variable."""
    own = {"status.podIP": pod_ip, "status.podIPs": pod_ip, "status.hostIP": addresses.HOST_IP}
    if field in own:
        return own[field]
    if match := re.fullmatch(r"metadata\.(labels|annotations)\['(.+)'\]", field):
        return str(pod["metadata"].get(match[1], {}).get(match[2], ""))
    value: Any = pod
    for part in field.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return None if value is None else str(value)
