"""Pods: started, running, refused."""

from __future__ import annotations

from pytest_bdd import given, parsers, then, when

from fixtures.run import Run
from lab.broker import Broker
from lab.cluster import Cluster
from lab.confidential import ConfidentialPods, KbcName
from lab.containerd import require_runtime
from lab.fact import Fact
from lab.host import Host
from lab.kata import KataConfiguration
from lab.labfile import LabFile
from lab.launch_policy import LaunchPolicies
from lab.outcome import Pod, Stage
from lab.profile import Profile
from lab.relay import Relay, unused_port
from lab.runtime_class import handlers_of, require_runtime_class, wrong_runtime_classes
from lab.workload import Workloads


@then("every RuntimeClass of the profile exists with the handler of its name")
def find_runtime_classes(run: Run, cluster: Cluster, profile: Profile) -> None:
    """Clause O-3.2."""
    run.record.evidence("handlers of the RuntimeClasses", handlers_of(cluster), fact=Fact.OBJECTS)
    wrong = wrong_runtime_classes(cluster, profile.runtime_classes)
    assert wrong == [], "; ".join(wrong)


@given("the RuntimeClass for unencrypted images exists with the handler of its name")
def require_plain_runtime_class(cluster: Cluster, host: Host, profile: Profile) -> None:
    """Precondition: clause O-3.2 owns the fact, and O-3.1 that containerd has such a handler."""
    require_runtime_class(cluster, profile.kata.plain_runtime_class)
    require_runtime(host, profile.kata.plain_runtime_class)


@when("nginx is started with that RuntimeClass", target_fixture="pod")
def start_nginx(workloads: Workloads, lab: LabFile, profile: Profile) -> Pod:
    """The guide's example one."""
    return workloads.start_unencrypted(
        kind="nginx",
        image=lab.images.nginx or profile.images.nginx,
        runtime_class=profile.kata.plain_runtime_class,
    )


@when("the encrypted busybox is started with that RuntimeClass", target_fixture="pod")
def start_without_sev(confidential_pods: ConfidentialPods) -> Pod:
    """The guide's example two, in a VM that nobody attests."""
    return confidential_pods.start_without_sev()


@given(
    parsers.parse("the node's kata SEV configuration is set for the {kbc} KBC, as the guide does"),
    target_fixture="configuration",
)
def configure_node(confidential_pods: ConfidentialPods, kbc: KbcName) -> KataConfiguration:
    """The node's TOML and initrd, given back after the scenario."""
    return confidential_pods.configure_node(kbc)


@when("the encrypted busybox is started on that configuration", target_fixture="pod")
def start_on_configuration(confidential_pods: ConfidentialPods, configuration: KataConfiguration) -> Pod:
    """The guide's pod; every launch on one configuration has the same digest."""
    return confidential_pods.start(configuration)


@when(
    parsers.parse("the encrypted busybox is started with the {kbc} KBC and a digest of its own"),
    target_fixture="pod",
)
def start_with_own_digest(confidential_pods: ConfidentialPods, kbc: KbcName) -> Pod:
    """A launch like no other, on a kata configuration of its own."""
    return confidential_pods.start(confidential_pods.configure(kbc))


@given("a relay on the host that keeps what guests send to the KBS", target_fixture="relay")
def listen_in(relay: Relay) -> Relay:
    """A relay for the time of the scenario."""
    return relay


@when("the encrypted busybox is started twice with the online KBC through the relay", target_fixture="pods")
def start_twice(confidential_pods: ConfidentialPods, relay: Relay) -> list[Pod]:
    """Two launches, each with a digest of its own."""
    own = [confidential_pods.configure("online", kbs_address=relay.address) for _ in range(2)]
    return [confidential_pods.start(configuration) for configuration in own]


@given("a port of the host on which nobody listens", target_fixture="silent_address")
def find_silent_address(host: Host, broker: Broker) -> str:
    """HOST:PORT where a guest reaches the host and gets no answer."""
    name = broker.guest_address.rpartition(":")[0]
    return f"{name}:{unused_port(host, name)}"


@when("the encrypted busybox is started with an online KBC that asks there", target_fixture="pod")
def start_asking_there(confidential_pods: ConfidentialPods, silent_address: str) -> Pod:
    """A guest whose KBC gets no answer, though its launch did."""
    own = confidential_pods.configure("online", kbs_address=silent_address)
    return confidential_pods.start(own, may_heal=False)


@when("the encrypted busybox is started with the offline KBC on that keyset", target_fixture="pod")
def start_on_keyset(confidential_pods: ConfidentialPods, keyset: str) -> Pod:
    """A guest whose bundle is this keyset."""
    return confidential_pods.start(confidential_pods.configure("offline", keyset=keyset))


@given(
    parsers.parse("a configuration of its own for the encrypted busybox with the {kbc} KBC"),
    target_fixture="configuration",
)
def configure_own(
    confidential_pods: ConfidentialPods, launch_policies: LaunchPolicies, profile: Profile, kbc: KbcName
) -> KataConfiguration:
    """A kata configuration that several launches share; for the offline KBC with a keyset of its own."""
    keyset = launch_policies.own_keyset([profile.kbs.key_id]) if kbc == "offline" else None
    return confidential_pods.configure(kbc, keyset=keyset)


@given("a running encrypted busybox with the online KBC, whose launch digest is known", target_fixture="pod")
def run_online(confidential_pods: ConfidentialPods) -> Pod:
    """Precondition: clause K-1.5 owns the fact."""
    pod = confidential_pods.start(confidential_pods.configure("online"))
    confidential_pods.require_running(pod, "K-1.5")
    return pod


@when("the pod is stopped")
def stop(workloads: Workloads, pod: Pod) -> None:
    """Deleted, and gone."""
    workloads.stop(pod)


@then("the pod is Running")
def run(workloads: Workloads, pod: Pod) -> None:
    """Running and ready; otherwise the refusal in the system's own words."""
    outcome = workloads.outcome(pod)
    assert outcome.running, str(outcome)


@then(parsers.parse("no policy refuses the pod, which {owner} proves"))
def require_no_refusal_by_policy(workloads: Workloads, pod: Pod, owner: str) -> None:
    """None is on the key; one of the KBS's own, for all launches, is another scenario's business."""
    workloads.require_no_refusal_by_policy(pod, owner)


@then(parsers.parse("the pod is Running, which {owner} proves"))
def require_running(confidential_pods: ConfidentialPods, pod: Pod, owner: str) -> None:
    """Running and ready, where that is another scenario's business: a precondition, or the control."""
    confidential_pods.require_running(pod, owner)


@then(parsers.parse("both pods are Running, which {owner} proves"))
def require_both_running(confidential_pods: ConfidentialPods, pods: list[Pod], owner: str) -> None:
    """Running and ready, one as the other."""
    for pod in pods:
        confidential_pods.require_running(pod, owner)


@then("the pod is refused at its image, for want of the decryption key")
def refuse_image(workloads: Workloads, profile: Profile, pod: Pod) -> None:
    """The guest got no key; the KBS's own cause is another step's business."""
    workloads.require_refusal(pod, Stage.IMAGE, profile.messages.no_key)


@then(parsers.parse('the pod is refused at its launch with "{cause}"'))
def refuse_launch(workloads: Workloads, pod: Pod, cause: str) -> None:
    """The shim got no launch secret, for the KBS's own cause."""
    workloads.require_refusal(pod, Stage.LAUNCH, f"code = Internal desc = {cause}")
