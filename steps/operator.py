"""The operator, and the registry for its images."""

from __future__ import annotations

from pytest_bdd import given, then, when

from fixtures.run import Run
from lab.comparison import compare
from lab.containerd import ContainerdConfiguration
from lab.convergence import Convergence
from lab.errors import NotProven
from lab.host import Host
from lab.labfile import LabFile
from lab.operator import MANAGER, PROXY, Operator
from lab.profile import Profile
from lab.registry import Registry
from lab.running_containerd import RunningContainerd
from lab.uninstallation import Outcome, Uninstallation

# The clauses that own what installing the operator makes.
INSTALLING = ("O-2.1", "O-2.2", "O-3.1")


@then("a container that is up publishes port 5000")
def publish_registry(registry: Registry) -> None:
    """Clause C-3.2; that docker answers is C-3.1's."""
    registry.require_docker()
    found = ", ".join(f"{each.name} ({each.status})" for each in registry.containers())
    assert registry.running(), f"no container that is up publishes port 5000; found: {found or 'none'}"


@then("a registry answers on port 5000")
def answer_as_registry(registry: Registry) -> None:
    """Clause C-3.2: asked over HTTP, and not only listed as Up."""
    answer = registry.answer()
    assert answer.is_registry, str(answer)


@then("the operator's controller is that of the profile's release")
def deploy_release(run: Run, operator: Operator, profile: Profile) -> None:
    """Clause O-2.1: told by its image, whichever registry that comes from."""
    image, wanted = operator.images().get(MANAGER), profile.operator.manager_image
    holds = compare(run.record, "operator's manager", image, "is an image of", wanted)
    assert holds, f"the manager is {image or 'not deployed'}, not {wanted}"


@then("the image of the controller's proxy is the profile's")
def reach_proxy_image(run: Run, operator: Operator, lab: LabFile, profile: Profile) -> None:
    """Clause O-2.2."""
    image, wanted = operator.images().get(PROXY), lab.images.rbac_proxy or profile.operator.rbac_proxy_image
    if image is None:
        operator.require_images(profile.operator.manager_image, wanted)
    assert compare(run.record, "proxy's image", image, "is", wanted), f"the proxy is {image}, not {wanted}"


@then("the one CcRuntime tells that it is installed on every node")
def install_runtime(operator: Operator) -> None:
    """Clause O-3.1."""
    faults = operator.installation_faults()
    assert faults == [], "; ".join(faults)


@then("containerd on the SEV host has a runtime for each RuntimeClass of the profile")
def have_runtimes(host: Host, profile: Profile) -> None:
    """Clause O-3.1: what the installer tells the cluster is one thing, what it left on the host another."""
    faults = ContainerdConfiguration.require(host).runtime_faults(profile.runtime_classes)
    assert faults == [], "; ".join(faults)
    running = RunningContainerd.look(host)
    stale = running.missing_runtimes(profile.runtime_classes) if running else None
    assert stale is None, stale


@then("the controller, and on every worker both daemons, are Running with all containers ready")
def run_pods(operator: Operator, lab: LabFile, profile: Profile) -> None:
    """Clause O-2.3; an image that others own the fact of keeps the controller from running."""
    faults = operator.pod_faults()
    if faults:
        proxy = lab.images.rbac_proxy or profile.operator.rbac_proxy_image
        operator.require_images(profile.operator.manager_image, proxy)
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


@given("the operator is uninstalled, which O-4.1 proves")
def require_uninstalled(uninstallation: Uninstallation, convergence: Convergence) -> None:
    """Precondition: clause O-4.1 owns the fact. Its scenario's uninstallation serves, where that lasts."""
    if not uninstallation.lasts:
        convergence.reach("O-3.1")
        uninstallation.perform()
    uninstallation.require_performed()


@when("the operator is installed again, as the guide does")
def install_again(convergence: Convergence) -> None:
    """With containerd's configuration, which an uninstallation puts back to an earlier one.

    That it was installed before is O-3.1's business; that it cannot be again is O-4.2's.
    """
    try:
        convergence.reach("C-4.2", "O-3.1")
    except NotProven as failure:
        if failure.owner not in INSTALLING:
            raise
        raise AssertionError(f"it is not installed again: {failure.cause}") from None


@then("stock files that came back in the place of others are reported")
def report_stock(uninstallation: Uninstallation) -> None:
    """Clause O-4.2: an initrd or a configuration that was there before is lost, and the reader must know."""
    uninstallation.tell_replaced()
