"""The operator, and the registry for its images."""

from __future__ import annotations

from pytest_bdd import then

from lab.labfile import LabFile
from lab.operator import MANAGER, PROXY, Operator, installation_fault
from lab.profile import Profile
from lab.registry import Registry


@then("a container that is up publishes port 5000")
def publish_registry(registry: Registry) -> None:
    """Clause C-3.2."""
    found = ", ".join(f"{each.name} ({each.status})" for each in registry.containers())
    assert registry.running(), f"no container that is up publishes port 5000; found: {found or 'none'}"


@then("a registry answers on port 5000")
def answer_as_registry(registry: Registry) -> None:
    """Clause C-3.2: asked over HTTP, and not only listed as Up."""
    answer = registry.answer()
    assert answer.is_registry, str(answer)


@then("the operator's controller is that of the profile's release")
def deploy_release(operator: Operator, profile: Profile) -> None:
    """Clause O-2.1: told by its image, whichever registry that comes from."""
    image, wanted = operator.images().get(MANAGER, "not deployed"), profile.operator.manager_image
    assert image.rpartition("/")[2] == wanted.rpartition("/")[2], f"the manager is {image}, not {wanted}"


@then("the image of the controller's proxy is the profile's")
def reach_proxy_image(operator: Operator, lab: LabFile, profile: Profile) -> None:
    """Clause O-2.2."""
    assert operator.images().get(PROXY) == (lab.images.rbac_proxy or profile.operator.rbac_proxy_image)


@then("the one CcRuntime tells that it is installed on every node")
def install_runtime(operator: Operator) -> None:
    """Clause O-3.1."""
    runtimes = operator.runtimes()
    assert len(runtimes) == 1, f"CcRuntimes: {[each['metadata']['name'] for each in runtimes]}"
    fault = installation_fault(runtimes[0])
    assert fault is None, fault


@then("the controller, and on every worker both daemons, are Running with all containers ready")
def run_pods(operator: Operator) -> None:
    """Clause O-2.3."""
    faults = operator.pod_faults()
    assert faults == [], "; ".join(faults)
