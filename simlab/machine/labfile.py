"""The lab file with which the suite finds this lab; it is written last, and so says that the lab is ready."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import tomlkit

from simlab import artifacts, compose
from simlab.internet import server
from simlab.machine import access
from simlab.machine.software import operator_sdk
from simlab.release import versions

if TYPE_CHECKING:
    from pathlib import Path

    from simlab.faults.fault import Fault
    from simlab.layout import Layout
    from simlab.real_parts import RealParts
    from simlab.release.versions.release import Release

# A simulated lab may be changed in every way.
_PERMISSIONS: Final = (
    *(
        "reboot",
        "bootloader",
        "kernel",
        "packages",
        "firewall",
        "selinux",
        "docker",
        "containerd",
        "operator",
    ),
    *("uninstall", "kbs_policies", "node_configuration"),
)


# Under a fault much is waited for that does not come; of what does come, nothing takes as long here.
_FAULT_TIMEOUTS: Final = {
    "connect": 10,
    "command": 30,
    "download": 30,
    "reboot": 60,
    "node_ready": 30,
    "runtime_installed": 30,
    "kbs_built": 30,
    "pod_running": 40,
    "pod_deleted": 30,
}


def write(layout: Layout, ssh_port: int, parts: RealParts, fault: Fault | None = None) -> None:
    """Write `layout.lab_file`; its digests are those of the build, not of the host's files.

    Which parts are real ones it tells in its notes.
    """
    release, built = versions.of(layout), artifacts.Artifacts(layout.world / "artifacts")
    digests = built.sha256()
    content: dict[str, Any] = {
        "name": "simulated",
        "profile": release.profile,
        "notes": [f"In place of the simulated lab's own: {part}" for part in parts.told()],
        "ssh": {
            "host": "127.0.0.1",
            "port": ssh_port,
            "user": "root",
            "key": str(access.client_key(layout)),
            "known_hosts": str(access.known_hosts(layout)),
        },
        "cluster": {"kubeconfig": "/etc/kubernetes/admin.conf"},
        "kbs": {
            "database": {
                "user": compose.DATABASE_USER,
                "name": compose.DATABASE_NAME,
                "password": {"file": str(access.database_password(layout))},
            }
        },
        # ASK and ARK of the software platform's own vendor: what is proved here is never proved for AMD's.
        "platform": {"root": str(layout.platform / "ask_ark.cert")},
        "permissions": dict.fromkeys(_PERMISSIONS, True),
        "files": {
            key: _source(release, built.folder / name) | {"sha256": digests[name]}
            for key, name in (
                ("initrd_online", artifacts.DEMO_ONLINE),
                ("initrd_offline", artifacts.DEMO_OFFLINE),
            )
        }
        | {"operator_sdk": {"url": operator_sdk.URL, "sha256": operator_sdk.SHA256}},
        "guest_registry": {
            "repository": server.REPOSITORY,
            "user": server.ACCOUNT,
            "password": {"file": str(access.registry_password(layout))},
        },
        "pins": {
            "firmware": digests[artifacts.FIRMWARE],
            "kernel": digests[artifacts.KERNEL_SEV],
        },
    }
    if fault is not None:
        content = {"fault": f"{fault.name}: {fault.breaks}"} | content
        content["timeouts"] = _FAULT_TIMEOUTS | dict(fault.timeouts)
    draft = layout.lab_file.with_suffix(".draft")
    draft.write_text("# Written by the simulated lab.\n\n" + tomlkit.dumps(content))
    draft.replace(layout.lab_file)


def _source(release: Release, built: Path) -> dict[str, str]:
    """Where an initrd is fetched from: the guide's demo, or the lab's own build on the runner."""
    if release.demo_initrds:
        return {"url": f"https://{artifacts.DEMO_HOST}/{artifacts.DEMO_FOLDER}/{built.name}"}
    return {"path": str(built)}
