"""The operator and its custom resource (guide: 步骤二 部署Operator, 创建custom resource)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lab.changes.described import Described
from lab.deadline import Deadline
from lab.errors import LabError, NotProven
from lab.operator import MANAGER, NAMESPACE, PROXY, installation_fault, is_of_release
from lab.provisioning import Sight

if TYPE_CHECKING:
    from lab.cluster import Cluster
    from lab.kubectl import Kubectl
    from lab.operator import Operator


class OperatorDeployed(Described):
    """The operator of the profile's release is deployed (guide: kubectl apply -k …/config/release?ref=…)."""

    looks_at = f"the controller's Deployment in {NAMESPACE}"
    permission = "operator"
    clause = "O-2.1"

    def __init__(
        self, operator: Operator, kubectl: Kubectl, source: str, image: str, *, seconds: float
    ) -> None:
        """`source` is a kustomization, as kubectl takes it; `image` the manager's in this release.

        `seconds` is how long what is being deleted may take to be gone.
        """
        self.name = f"deploy the operator from {source}"
        self.undone_by = f"kubectl delete -k {source}"
        self._operator = operator
        self._kubectl = kubectl
        self._source = source
        self._image = image
        self._seconds = seconds

    def look(self) -> Sight:
        """The manager's image, whichever registry it comes from, tells the release."""
        try:
            if deleting := self._operator.being_deleted():
                return Sight(holds=False, found=f"being deleted: {', '.join(map(' '.join, deleting))}")
            found = self._operator.images().get(MANAGER)
        except LabError as error:
            return Sight(holds=False, found=str(error))
        return Sight(is_of_release(found, self._image), found or "not deployed")

    def apply(self) -> None:
        """As the guide does; an uninstallation that is still under way ends first.

        Over another release that is in use nothing is applied: the guide has it uninstalled first.
        """
        self._operator.wait_until_deleted(Deadline(self._seconds))
        found = self._operator.images().get(MANAGER)
        if found and not is_of_release(found, self._image) and self._operator.runtimes():
            raise NotProven(
                f"the operator of another release is deployed, {found}, and has installed a runtime: "
                "uninstall it first, as the guide does (卸载Operator)",
                owner=self.clause,
            )
        self._kubectl.apply(self._source)


class ProxyImage(Described):
    """The controller's proxy has an image that can be reached (guide: kubectl edit deploy …)."""

    looks_at = f"the image of {PROXY}"
    permission = "operator"
    clause = "O-2.2"

    def __init__(self, operator: Operator, image: str) -> None:
        self.name = f"set the image of {PROXY} to {image}"
        self.undone_by = f"kubectl edit deploy cc-operator-controller-manager -n {NAMESPACE}"
        self._operator = operator
        self._image = image

    def look(self) -> Sight:
        """The image that the Deployment names."""
        try:
            found = self._operator.images().get(PROXY)
        except LabError as error:
            return Sight(holds=False, found=str(error))
        return Sight(found == self._image, found or "not deployed")

    def apply(self) -> None:
        """Change this one image."""
        self._operator.set_image(PROXY, self._image)


class RuntimeInstalled(Described):
    """The CcRuntime resource exists, and its installation completed on every node."""

    looks_at = "the CcRuntime's status"
    permission = "operator"
    clause = "O-3.1"

    def __init__(
        self, operator: Operator, cluster: Cluster, kubectl: Kubectl, source: str, *, seconds: float
    ) -> None:
        """`seconds` is how long the installation may take."""
        self.name = f"create the CcRuntime from {source}"
        self.undone_by = f"kubectl delete -k {source}"
        self._operator = operator
        self._cluster = cluster
        self._kubectl = kubectl
        self._source = source
        self._seconds = seconds

    def look(self) -> Sight:
        """How far the installation is."""
        try:
            runtimes = self._operator.runtimes()
        except LabError as error:
            return Sight(holds=False, found=str(error))
        fault = installation_fault(runtimes[0] if runtimes else None)
        return Sight(fault is None, fault or "installed on every node")

    def apply(self) -> None:
        """As the guide does, then watch the resource until its installation is complete."""
        deadline = Deadline(self._seconds)
        self._operator.wait_until_runtimes_deleted(deadline)
        if not self._operator.runtimes():
            self._kubectl.apply(self._source)
        runtimes = self._operator.runtimes()
        if not runtimes:
            raise LabError(f"{self._source} was applied, and made no CcRuntime")

        def complete(runtime: dict[str, Any] | None, _: list[dict[str, Any]]) -> bool | None:
            # It makes the RuntimeClasses after that, and tells of them last.
            made = ((runtime or {}).get("status") or {}).get("runtimeClass")
            return True if made and installation_fault(runtime) is None else None

        name = runtimes[0]["metadata"]["name"]
        self._cluster.wait("CcRuntime", name, None, complete, f"CcRuntime {name} to be installed", deadline)
