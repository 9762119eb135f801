"""Beyond the guide: what decides nothing, and a reader of the report must know."""

from __future__ import annotations

from pytest_bdd import given, then, when

from lab.broken_policies import BrokenPolicies
from lab.broker import Broker
from lab.certificates import SoftwarePlatform
from lab.confidential import ConfidentialPods
from lab.kata import KataConfiguration
from lab.launch_bundles import LaunchBundles, Reception
from lab.launch_policy import LaunchPolicies
from lab.memory_encryption import MemoryEncryption
from lab.outcome import Pod
from lab.platform import Platform
from lab.sev_policy import ENCRYPTED_STATE, NO_DEBUG, NO_KEY_SHARING, allows


@given("a key of the suite's own in the KBS", target_fixture="own_key")
def make_key(launch_policies: LaunchPolicies) -> str:
    """The guide's key is never exposed: what may be given away here opens nothing."""
    return launch_policies.own_key()


@then("the KBS keeps that key from that launch where its policy is revoked, deleted, malformed or NULL")
def keep_key(
    broken_policies: BrokenPolicies, confidential_pods: ConfidentialPods, own_key: str, pod: Pod
) -> None:
    """Clause X-2.1; under each of these policies the key is refused while the policy is whole."""
    releasing = broken_policies.releasing(own_key, confidential_pods.launch_of(pod).digest)
    assert releasing == [], f"the KBS gives the key away under a policy that is {'; '.join(releasing)}"


@given("the KBS opens a launch for the platform's own certificate chain")
def open_own(launch_bundles: LaunchBundles, platform: Platform) -> None:
    """Clause X-2.2, the control."""
    launch_bundles.require_opened(platform.exported_chain())


@given(
    "a certificate chain made in software, in which all is well but its root",
    target_fixture="software_platform",
)
def make_chain(platform: Platform) -> SoftwarePlatform:
    """Its root is none of those that the lab file allows: AMD's, or the one that it names."""
    made = SoftwarePlatform()
    broken = platform.foreign_part(made.chain())
    assert len(broken) == 1, f"the suite made a bad chain: {broken}"
    assert "none of the roots" in broken[0], broken
    return made


@then("the KBS opens no launch for that chain with a forged signature")
def refuse_forged(
    launch_bundles: LaunchBundles, platform: Platform, software_platform: SoftwarePlatform
) -> None:
    """Clause X-2.2: the signatures are looked at."""
    forged = software_platform.chain(forged_chip=True)
    received = launch_bundles.reception(forged, "a forged chain", good=platform.exported_chain())
    assert received is not Reception.OPENED, (
        "the KBS opens a launch for a chain whose signatures do not verify"
    )


@then("the KBS opens no launch for that chain")
def refuse_software(
    launch_bundles: LaunchBundles, platform: Platform, software_platform: SoftwarePlatform
) -> None:
    """Clause X-2.2."""
    chain = software_platform.chain()
    received = launch_bundles.reception(chain, "a chain made in software", good=platform.exported_chain())
    assert received is not Reception.OPENED, (
        "the KBS opens a launch for a platform that the suite made in software: "
        "it does not ask where a chain ends"
    )


@given(
    "a configuration of its own for the encrypted busybox whose SEV policy forbids debugging and key sharing",
    target_fixture="configuration",
)
def configure_strictly(confidential_pods: ConfidentialPods) -> KataConfiguration:
    """Clause X-2.3, the control: the policy is there to be set."""
    return confidential_pods.configure("online", sev_policy=NO_DEBUG | NO_KEY_SHARING)


@given("the host offers SEV-ES")
def offer_sev_es(memory_encryption: MemoryEncryption) -> None:
    """Clause X-3.1 does not apply to a host without it."""
    memory_encryption.require_sev_es()


@given(
    "a configuration of its own for the encrypted busybox whose SEV policy demands SEV-ES",
    target_fixture="configuration",
)
def demand_sev_es(confidential_pods: ConfidentialPods) -> KataConfiguration:
    """Clause X-3.1; the policy that a careful owner would set."""
    return confidential_pods.configure("online", sev_policy=NO_DEBUG | NO_KEY_SHARING | ENCRYPTED_STATE)


@when("a policy that lists the digest of the same guest without SEV-ES is set on the guide's key")
def hold_key_to_plain_sev(
    launch_policies: LaunchPolicies, confidential_pods: ConfidentialPods, pod: Pod
) -> None:
    """Clause X-3.1: an SEV-ES guest is measured with its vCPUs."""
    launch_policies.hold_key(launch_policies.write([confidential_pods.launch_of(pod).sev_digest]))


@then("it was launched with that configuration's SEV policy, as QEMU and the KBS tell")
def launch_with_own_policy(
    confidential_pods: ConfidentialPods, broker: Broker, configuration: KataConfiguration, pod: Pod
) -> None:
    """Clause X-2.3: a policy that is set is the one that the platform's firmware is given."""
    assert _launched_with(confidential_pods, broker, pod) == configuration.sev_policy


@then("the SEV policy that it was launched with, as QEMU and the KBS tell, forbids debugging and key sharing")
def forbid_debugging(confidential_pods: ConfidentialPods, broker: Broker, pod: Pod) -> None:
    """Clause X-2.3."""
    policy = _launched_with(confidential_pods, broker, pod)
    allowed = allows(policy)
    assert allowed == [], (
        f"guests are launched with the SEV policy {policy}, which allows {'; '.join(allowed)}"
    )


def _launched_with(confidential_pods: ConfidentialPods, broker: Broker, pod: Pod) -> int:
    launch = confidential_pods.launch_of(pod)
    policy = launch.vm.qemu.sev_policy
    recorded = {each.policy for each in broker.launches(launch.digest)}
    assert recorded == {policy}, f"QEMU was told the SEV policy {policy}, the KBS recorded {recorded}"
    return policy
