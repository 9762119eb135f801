"""The versions of what is tested, as found on the lab."""

from __future__ import annotations

import contextlib
import hashlib
import re
from typing import TYPE_CHECKING

from lab.changes.kbs import KbsSource
from lab.errors import HostFileError, LabError, NotProven
from lab.kata import KataConfiguration
from lab.operator import CONTROLLER, NAMESPACE, containers_of

if TYPE_CHECKING:
    from lab.cluster import Cluster
    from lab.host import Host
    from lab.profile import Profile
    from lab.record import Record


def record_versions(host: Host, cluster: Cluster, profile: Profile, record: Record) -> None:
    """Tell the record the versions of host, cluster and KBS; what cannot be found is told as unknown."""
    release = host.run("cat /etc/os-release", check=False, reads=True).stdout
    record.version("operating system", _match(r'^PRETTY_NAME="?([^"\n]*)', release))
    record.version("kernel", host.run("uname -r", check=False, reads=True).stdout.strip() or "unknown")
    arguments = host.run("cat /proc/cmdline", check=False, reads=True, quiet=True).stdout.strip()
    record.version("kernel arguments", arguments or "unknown")
    firmware = host.run("dmesg", check=False, reads=True, quiet=True).stdout
    record.version("SEV firmware", _match(r"SEV API:(\S+ build:\S+)", firmware))
    record.version("Kubernetes", cluster.server_version())
    for node in cluster.list("Node"):
        info, name = node["status"]["nodeInfo"], node["metadata"]["name"]
        record.version(f"kubelet on {name}", info["kubeletVersion"])
        record.version(f"container runtime on {name}", info["containerRuntimeVersion"])
    images = host.run("docker ps --format '{{.Names}} {{.Image}}'", check=False, reads=True).stdout
    image = _match(rf"{profile.kbs.server_container}\S* (\S+)", images)
    # docker compose builds the image, and gives it no tag: what it was built from is the checkout.
    try:
        tag = KbsSource(host, profile.kbs).tag() or "unknown"
    except NotProven:
        tag = "unknown"
    record.version("simple-kbs", f"{tag} (image {image})")
    record.version("simple-kbs' database", _match(rf"{profile.kbs.database_container}\S* (\S+)", images))
    deployment = cluster.get("Deployment", CONTROLLER, NAMESPACE)
    for container in containers_of(deployment) if deployment else []:
        record.version(f"operator's {container['name']}", container["image"])
    if kata := _kata(host, profile.kata.sev_runtime_class):
        record.version("kata", kata)
    for what, digest in _guest_files(host, profile.kata.sev_configuration).items():
        record.version(what, digest)


def _kata(host: Host, runtime_class: str) -> str | None:
    """What the shim that containerd starts for SEV guests says of itself; None where it is not installed.

    Its name follows from the runtime's, `io.containerd.kata-qemu-sev.v2`, and a link of that name is where
    containerd looks (kata-containers CC-0.3.0, tools/packaging/kata-deploy-cc/scripts/kata-deploy.sh).
    It tells its source tree's version, which is no tag of the release's (src/runtime/VERSION and
    cmd/containerd-shim-kata-v2/main.go), so the program's own digest stands beside it.
    """
    shim = f"/usr/local/bin/containerd-shim-{runtime_class}-v2"
    if not host.exists(shim):
        return None
    told = host.run("%s --version", shim, check=False, reads=True).stdout
    found = re.search(r"version: (\S+), commit: (\S*)", told)
    if found is None:
        return "unknown"
    commit = f", commit {found[2]}" if found[2] else ""
    return f"{found[1]}{commit}, SHA-256 {host.sha256(shim)}"


def _guest_files(host: Host, path: str) -> dict[str, str]:
    """What the node's own configuration starts SEV guests with, by SHA-256; nothing of what is not there."""
    try:
        data = host.read_file(path)
    except HostFileError:
        return {}
    found = {"kata SEV configuration": f"SHA-256 {hashlib.sha256(data).hexdigest()}"}
    try:
        kata = KataConfiguration.parse(path, data)
        files = {"OVMF": kata.firmware, "guest kernel": kata.kernel, "guest initrd": kata.initrd}
    except LabError:
        return found
    for what, file in files.items():
        with contextlib.suppress(HostFileError):
            found[what] = f"SHA-256 {host.sha256(file)}, {file}"
    return found


def _match(pattern: str, text: str) -> str:
    found = re.search(pattern, text, re.MULTILINE)
    return found[1] if found else "unknown"
