"""docker on the host: whether its server answers, and is docker's."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lab.host import Host
    from lab.record import Record

_VERSION = re.compile(r"\d+\.\d+")


def server_fault(host: Host, record: Record) -> str | None:
    """Why no server of docker's answers; None where one does, whose version is evidence then.

    podman answers as `docker` too (the package podman-docker), with no server behind it.
    """
    client = host.run("docker --version", check=False, reads=True)
    if client.stdout.startswith("podman"):
        return "podman answers in docker's place (the package podman-docker)"
    asked = host.run("docker version --format '{{.Server.Version}}'", check=False, reads=True)
    if not asked.succeeded:
        return f"docker's server does not answer: {asked.stderr.strip()}"
    version = asked.stdout.strip()
    if not _VERSION.match(version):
        return f"docker's server tells no version: {version!r}"
    record.evidence("docker's server", version)
    return None
