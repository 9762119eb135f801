"""The operator, and the registry for its images."""

from __future__ import annotations

from pytest_bdd import given, then, when

from lab.convergence import Convergence
from lab.labfile import LabFile
from lab.operator import MANAGER, PROXY, Operator
from lab.profile import Profile
from lab.registry import Registry
from lab.uninstallation import Outcome, Uninstallation


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
    faults = operator.installation_faults()
    assert faults == [], "; ".join(faults)


@then("the controller, and on every worker both daemons, are Running with all containers ready")
def run_pods(operator: Operator) -> None:
    """Clause O-2.3."""
    faults = operator.pod_faults()
    assert faults == [], "; ".join(faults)


@when("the operator is uninstalled, as the guide does", target_fixture="uninstalled")
def uninstall(uninstallation: Uninstallation) -> Outcome:
    """Both of the guide's commands, between two pictures of host and cluster."""
    return uninstallation.perform()


@then("what the uninstallation leaves behind is reported")
def report_remainder(uninstallation: Uninstallation) -> None:
    """Clause O-4.1: files that stay, and edits of others that do not, become findings."""
    uninstallation.tell_left_behind()


@then("what it should have removed is gone")
def remove_all(uninstalled: Outcome) -> None:
    """Clause O-4.1."""
    assert uninstalled.stuck == [], "; ".join(uninstalled.stuck)
    assert uninstalled.kept == [], f"still there: {'; '.join(uninstalled.kept)}"


@then("what others own on host and cluster is as it was")
def leave_others(uninstalled: Outcome) -> None:
    """Clause O-4.1."""
    assert uninstalled.harmed == [], "; ".join(uninstalled.harmed)


@given("the operator was uninstalled, which O-4.1 proves")
def require_uninstalled(uninstallation: Uninstallation) -> None:
    """Precondition: clause O-4.1 owns the fact."""
    uninstallation.require_performed()


@when("the operator is installed again, as the guide does")
def install_again(convergence: Convergence) -> None:
    """With containerd's configuration, which an uninstallation puts back to an earlier one."""
    convergence.reach("C-4.2", "O-3.1")


@then("stock files that came back in the place of others are reported")
def report_stock(uninstallation: Uninstallation) -> None:
    """Clause O-4.2: an initrd or a configuration that was there before is lost, and the reader must know."""
    uninstallation.tell_replaced()
