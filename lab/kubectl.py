"""The host's kubectl, for what the guide does by kustomizations; all else goes to the API itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.deadline import Deadline
from lab.errors import NotProven

if TYPE_CHECKING:
    from lab.host import Host
    from lab.labfile import LabFile


class Kubectl:
    """kubectl on one host, with the kubeconfig that lies there."""

    def __init__(self, lab: LabFile, host: Host) -> None:
        self._lab = lab
        self._host = host

    def apply(self, source: str) -> None:
        """Apply a kustomization: a folder on the host, or what kustomize takes as a remote one."""
        self._run("apply -k %s", source)

    def delete(self, source: str) -> None:
        """Delete what a kustomization names; what is gone already is fine."""
        self._run("delete --ignore-not-found -k %s", source)

    def _run(self, command: str, source: str) -> None:
        if self._lab.cluster.local_kubeconfig is not None:
            raise NotProven(
                "kustomizations are applied by the host's kubectl, and the lab file names a kubeconfig "
                "on the runner: name the host's in cluster.kubeconfig"
            )
        # A remote kustomization is fetched by git, to which kustomize gives 27 s unless the source says more
        # (kustomize 4.5, api/internal/git/repospec.go): too little on many a way to GitHub.
        seconds = self._lab.timeouts.download
        if "?" in source and "timeout=" not in source:
            source = f"{source}&timeout={seconds:.0f}s"
        kubeconfig = self._lab.cluster.kubeconfig
        self._host.run(f"kubectl --kubeconfig %s {command}", kubeconfig, source, deadline=Deadline(seconds))
