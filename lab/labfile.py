"""The schema of a lab file: one SEV host, and how to reach what runs on it.

`lab.loading` reads one and reports every mistake with its line. A path is on the runner and relative to the
lab file, unless its kind is an absolute path on the host. The text under each key is its documentation:
`docs/lab-files.md` is tested against it.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, model_validator

from lab.values import (
    Allowed,
    HostName,
    HostPath,
    Name,
    Port,
    RunnerFile,
    Seconds,
    Sha256,
    Text,
    Url,
    VariableName,
    mistake,
)


class Section(BaseModel):
    """A table of a lab file: immutable, closed to keys that nobody reads, and without conversions."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, use_attribute_docstrings=True)


class SecretSource(Section):
    """Where a secret comes from. Name exactly one of the two; the secret itself is never in a lab file."""

    env: VariableName | None = None
    """Name of the environment variable that holds the secret."""
    file: RunnerFile | None = None
    """File whose first line is the secret."""

    @model_validator(mode="after")
    def _one_source(self) -> SecretSource:
        if (self.env is None) == (self.file is None):
            raise mistake(
                "both env and file" if self.env else "neither env nor file", "exactly one of the two"
            )
        return self


class Login(Section):
    """An SSH login."""

    host: HostName
    """Name or address of the machine."""
    port: Port = 22
    """Port of its SSH server."""
    user: Text = "root"
    """Who to log in as."""
    key: RunnerFile | None = None
    """Private key. Without key and password the SSH agent is asked."""
    key_passphrase: SecretSource | None = None
    """Passphrase of the private key."""
    password: SecretSource | None = None
    """Password, where the machine takes no key."""
    known_hosts: RunnerFile
    """File in known_hosts format that has the machine's host key. Unknown keys are refused."""


class Ssh(Login):
    """The SEV host."""

    jump: list[Login] = []
    """Jump hosts on the way, the first one first: `[[ssh.jump]]` with the same keys as `[ssh]`."""
    become: Literal["none", "sudo"] = "none"
    """How to become root on the host; `sudo` must not ask for a password."""


class Cluster(Section):
    """The Kubernetes API."""

    kubeconfig: HostPath = "/etc/kubernetes/admin.conf"
    """The kubeconfig on the host."""
    local_kubeconfig: RunnerFile | None = None
    """A kubeconfig on the runner, used instead of the host's."""
    reach: Literal["ssh", "direct"] = "ssh"
    """How the API is reached: through the SSH connection, or straight from the runner."""
    node: Name | None = None
    """The Kubernetes node that is the SEV host. Without it: the only worker node."""
    namespace: Name = "default"
    """Where the suite makes its pods."""

    @model_validator(mode="after")
    def _one_kubeconfig(self) -> Cluster:
        if {"kubeconfig", "local_kubeconfig"} <= self.model_fields_set:
            raise mistake("both kubeconfig and local_kubeconfig", "at most one of the two")
        return self


class Database(Section):
    """The database of simple-kbs."""

    host: HostName | None = None
    """Its address. Without it: found in the docker network, as the guide does (clause A-2.4)."""
    port: Port = 3306
    """Its port."""
    user: Text = "kbsuser"
    """Who to log in as."""
    password: SecretSource
    """That user's password: `{ env = "NAME" }` or `{ file = "PATH" }`."""
    name: Text = "simple_kbs"
    """Name of the database."""
    reach: Literal["ssh", "direct"] = "ssh"
    """How it is reached: through the SSH connection, or straight from the runner."""

    @model_validator(mode="after")
    def _address(self) -> Database:
        if self.reach == "direct" and self.host is None:
            raise mistake('reach = "direct" without host', "a host with it")
        return self


class Kbs(Section):
    """simple-kbs."""

    host: HostName | None = None
    """Its address. Without it: found as the guide does (clause W-3.2)."""
    port: Port = 44444
    """Its gRPC port."""
    reach: Literal["ssh", "direct"] = "ssh"
    """How it is reached: through the SSH connection, or straight from the runner."""
    database: Database

    @model_validator(mode="after")
    def _address(self) -> Kbs:
        if self.reach == "direct" and self.host is None:
            raise mistake('reach = "direct" without host', "a host with it")
        return self


class Platform(Section):
    """The maker of the processor."""

    root: Annotated[
        Literal["amd"] | RunnerFile, Allowed('"amd", or a readable file on the runner, relative to this file')
    ] = "amd"
    """What the certificate chain must end in: `amd` for AMD's published roots, or a file with ASK and ARK."""


class Permissions(Section):
    """What the suite may do to the host beyond adding files and objects of its own."""

    reboot: bool = False
    """Reboot the host."""
    bootloader: bool = False
    """Change the boot loader and the kernel's parameters."""
    kernel: bool = False
    """Install another kernel, and make it the default."""
    packages: bool = False
    """Install packages, and change package repositories."""
    firewall: bool = False
    """Stop the firewall."""
    selinux: bool = False
    """Set SELinux to permissive."""
    docker: bool = False
    """Install and start docker, and start the local registry and simple-kbs."""
    containerd: bool = False
    """Change containerd's configuration and restart it."""
    operator: bool = False
    """Install the operator and its custom resource, and label nodes."""
    uninstall: bool = False
    """Uninstall the operator (and install it again)."""
    kbs_policies: bool = False
    """Borrow the policy of the test key and keyset, and add rows of its own to the database; none stays but
    the test image's published key, where the database lacks it."""
    node_configuration: bool = False
    """Borrow the node's kata configuration and initrd; they are put back after each scenario."""


class FileSource(Section):
    """A file from outside. Name exactly one of url and path."""

    url: Url | None = None
    """Where the host downloads it from."""
    path: RunnerFile | None = None
    """Where it is on the runner."""
    sha256: Sha256
    """What it must be."""

    @model_validator(mode="after")
    def _one_source(self) -> FileSource:
        if (self.url is None) == (self.path is None):
            raise mistake(
                "both url and path" if self.url else "neither url nor path", "exactly one of the two"
            )
        return self


class Files(Section):
    """The files that the guide downloads."""

    initrd_online: FileSource
    """The initrd with the online KBC."""
    initrd_offline: FileSource
    """The initrd with the offline KBC."""
    operator_sdk: FileSource | None = None
    """The program operator-sdk. Without it, it is not installed where it is missing."""


class Sources(Section):
    """Where else to get what the guide gets from the internet. Without one: from where the guide does."""

    kernel_repository: Url | None = None
    """The package repository of the newer kernel."""
    docker_repository: Url | None = None
    """The .repo file of docker's packages."""
    operator: Text | None = None
    """The operator's kustomization: a folder on the host, or a remote one as `kubectl apply -k` takes it."""
    ccruntime: Text | None = None
    """The kustomization of the custom resource, likewise."""
    simple_kbs: Text | None = None
    """The git repository of simple-kbs, as the host's git takes it."""


class Pins(Section):
    """What a measurement is made of: taken from the release, and not from the host under test."""

    firmware: Sha256
    """SHA-256 of the release's OVMF.fd."""
    kernel: Sha256
    """SHA-256 of the release's vmlinuz-sev.container."""


class GuestRegistry(Section):
    """Where an encrypted image of the suite's own is kept for the time of a scenario (clause A-1.1)."""

    repository: Text
    """Registry and repository, as `registry.example.org/sev/conformance`. Guests must be able to pull from
    it without a login, over HTTPS with a certificate that their initrd trusts. The host pushes to it, and
    deletes afterwards what it pushed, where the registry does that."""
    user: Text | None = None
    """Who pushes. Without it: nobody in particular."""
    password: SecretSource | None = None
    """That user's password."""

    @model_validator(mode="after")
    def _whole_login(self) -> GuestRegistry:
        if (self.user is None) != (self.password is None):
            raise mistake("one of user and password", "both of them, or neither")
        return self


class Images(Section):
    """References of images, for mirrors. Without one: the profile's."""

    nginx: Text | None = None
    """The plain nginx."""
    encrypted_busybox: Text | None = None
    """The encrypted busybox."""
    busybox: Text | None = None
    """The plain image that a new encrypted one is made from."""
    pause: Text | None = None
    """containerd's sandbox image."""
    registry: Text | None = None
    """The local registry."""
    rbac_proxy: Text | None = None
    """The proxy beside the operator's controller."""


class Timeouts(Section):
    """Deadlines in seconds. Slow bare metal wants more."""

    connect: Seconds = 20
    """To log in, or to open a connection."""
    command: Seconds = 60
    """For one command on the host."""
    download: Seconds = 900
    """For one file from outside."""
    reboot: Seconds = 1200
    """Until the host answers from another boot."""
    node_ready: Seconds = 300
    """Until the node is Ready again after containerd was restarted."""
    runtime_installed: Seconds = 1800
    """Until the operator has installed the runtimes on every node."""
    kbs_built: Seconds = 3600
    """Until docker compose has built simple-kbs, and it answers."""
    pod_running: Seconds = 300
    """Until a pod runs, or has been refused."""
    pod_deleted: Seconds = 120
    """Until a deleted pod is gone."""


class LabFile(Section):
    """One lab."""

    name: Name
    """What reports call the lab."""
    profile: Name
    """The profile to qualify: a file in `profiles/`, without its `.toml`."""
    notes: list[Text] = []
    """What a reader of reports must know of this lab, a line each. The suite only passes it on."""
    fault: Text | None = None
    """What is broken in the lab on purpose: a simulated lab says so itself. A run on it ends with 1, whatever
    it proves, and converges nothing unless `--provision` says so."""
    ssh: Ssh
    cluster: Cluster = Cluster()
    kbs: Kbs
    platform: Platform = Platform()
    permissions: Permissions = Permissions()
    files: Files
    pins: Pins
    sources: Sources = Sources()
    images: Images = Images()
    guest_registry: GuestRegistry | None = None
    timeouts: Timeouts = Timeouts()
