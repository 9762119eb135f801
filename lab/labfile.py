"""The schema of a lab file: one SEV host, and how to reach what runs on it.

`lab.loading` reads one and reports every mistake with its line. Paths in a lab file are relative to it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Port = Annotated[int, Field(ge=1, le=65535)]
Seconds = Annotated[float, Field(gt=0, le=86400)]
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$")]
HostName = Annotated[str, StringConstraints(min_length=1, max_length=253, pattern=r"^[A-Za-z0-9_.:%\[\]-]+$")]
HostPath = Annotated[str, StringConstraints(pattern=r"^/")]


class Section(BaseModel):
    """A table of a lab file: immutable, and closed to keys that nobody reads."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class SecretSource(Section):
    """Where a secret comes from: the name of an environment variable, or a file (its first line)."""

    env: str | None = None
    file: Path | None = None

    @model_validator(mode="after")
    def _one_source(self) -> SecretSource:
        if (self.env is None) == (self.file is None):
            raise ValueError("name exactly one of env and file")
        return self


class Login(Section):
    """An SSH login: `key` is a private key file, `known_hosts` the file its host key must be in."""

    host: HostName
    port: Port = 22
    user: str = "root"
    key: Path | None = None
    key_passphrase: SecretSource | None = None
    password: SecretSource | None = None
    known_hosts: Path


class Ssh(Login):
    """The host's login, with the jump hosts on the way to it and how it becomes root."""

    jump: list[Login] = []
    become: Literal["none", "sudo"] = "none"


class Cluster(Section):
    """The Kubernetes API. `kubeconfig` is on the host; `local_kubeconfig` on the runner; name at most one."""

    kubeconfig: HostPath = "/etc/kubernetes/admin.conf"
    local_kubeconfig: Path | None = None
    reach: Literal["ssh", "direct"] = "ssh"
    node: str | None = None
    namespace: Name = "default"


class Database(Section):
    """simple-kbs' database. Without `host` its address is found as the guide finds it (clause A-2.4)."""

    host: HostName | None = None
    port: Port = 3306
    user: str = "kbsuser"
    password: SecretSource
    name: str = "simple_kbs"
    reach: Literal["ssh", "direct"] = "ssh"


class Kbs(Section):
    """simple-kbs. Without `host` it is the address that the guide's pipeline finds (clause W-3.2)."""

    host: HostName | None = None
    port: Port = 44444
    reach: Literal["ssh", "direct"] = "ssh"
    database: Database


class Platform(Section):
    """`root` is `amd` (AMD's published roots) or a file with the ASK and ARK that the chain must end in."""

    root: Literal["amd"] | Path = "amd"


class Permissions(Section):
    """What the suite may do to the host beyond adding files of its own; all off by default."""

    reboot: bool = False
    bootloader: bool = False
    kernel: bool = False
    packages: bool = False
    firewall: bool = False
    selinux: bool = False
    docker: bool = False
    containerd: bool = False
    operator: bool = False
    uninstall: bool = False
    kbs_policies: bool = False
    node_configuration: bool = False


class FileSource(Section):
    """A file from outside: a URL that the host fetches or a path on the runner, and its checksum."""

    url: Annotated[str, StringConstraints(pattern=r"^https?://")] | None = None
    path: Path | None = None
    sha256: Sha256

    @model_validator(mode="after")
    def _one_source(self) -> FileSource:
        if (self.url is None) == (self.path is None):
            raise ValueError("name exactly one of url and path")
        return self


class Files(Section):
    """Sources of the files that the guide downloads."""

    initrd_online: FileSource
    initrd_offline: FileSource


class Pins(Section):
    """SHA-256 of what a measurement is made of, from the release and not from the host under test."""

    firmware: Sha256
    kernel: Sha256


class Images(Section):
    """References of the images, for mirrors; the profile's when not named."""

    nginx: str | None = None
    encrypted_busybox: str | None = None


class Timeouts(Section):
    """Deadlines in seconds; slow bare metal wants more."""

    connect: Seconds = 20
    command: Seconds = 60
    download: Seconds = 900
    pod_running: Seconds = 300
    pod_refused: Seconds = 300
    pod_deleted: Seconds = 120


class LabFile(Section):
    """One lab."""

    name: Name
    profile: Name
    ssh: Ssh
    cluster: Cluster = Cluster()
    kbs: Kbs
    platform: Platform = Platform()
    permissions: Permissions = Permissions()
    files: Files
    pins: Pins
    images: Images = Images()
    timeouts: Timeouts = Timeouts()
