"""Where a lab keeps its files on the runner."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class Layout:
    """The folder of one lab: the simulated host's root, and the world that lies outside of that host."""

    root: Path

    @property
    def host(self) -> Path:
        """Root directory of the simulated host; `/usr` and the like are bound into it for a shell."""
        return self.root / "host"

    @property
    def world(self) -> Path:
        """What is not on the host: the internet's files, registry blobs, the PSP's fuses, keys of CAs."""
        return self.root / "world"

    @property
    def internet(self) -> Path:
        """Static files that the internet serves, one folder a host name."""
        return self.world / "internet"

    @property
    def registry(self) -> Path:
        """Blobs and manifests of the public registries."""
        return self.world / "registry"

    @property
    def platform(self) -> Path:
        """The PSP's fuses and certificates, and its vendor's root."""
        return self.world / "platform"

    @property
    def psp_socket(self) -> Path:
        """The PSP's command socket; a shell on the host sees it as `/dev/sev`."""
        return self.world / "sev.sock"

    @property
    def pki(self) -> Path:
        """Keys and certificates of the cluster's and the internet's certificate authorities."""
        return self.world / "pki"

    @property
    def database(self) -> Path:
        """MariaDB's data folder."""
        return self.world / "database"

    @property
    def kbs(self) -> Path:
        """The simple-kbs container's working directory (`default_policy.json`, `resources/`)."""
        return self.world / "kbs"

    @property
    def client(self) -> Path:
        """What a person or the suite needs to get in: SSH key, known_hosts."""
        return self.root / "client"

    @property
    def log(self) -> Path:
        """One log file a service."""
        return self.root / "log"

    @property
    def lab_file(self) -> Path:
        """The lab file for the suite; exists once the lab is ready."""
        return self.root / "lab.toml"

    @property
    def kubeconfig(self) -> Path:
        """A kubeconfig for a kubectl on the runner."""
        return self.root / "kubeconfig"
