"""Policies on a launch's values beside its digest."""

from __future__ import annotations

from pytest_bdd import given, parsers, then, when

from lab.broker import Broker
from lab.confidential import ConfidentialPods
from lab.kata import KataConfiguration
from lab.launch_policy import LaunchPolicies
from lab.memory_encryption import MemoryEncryption
from lab.outcome import Pod
from lab.policy_fields import Field, LaunchValues


@given("what a launch shows the KBS beside its digest is known from the platform", target_fixture="values")
def know_values(memory_encryption: MemoryEncryption, confidential_pods: ConfidentialPods) -> LaunchValues:
    """Precondition: clause P-3.4 owns the firmware's version; the flags stand in kata's configuration."""
    flags = confidential_pods.node_configuration().sev_policy
    return LaunchValues(flags, memory_encryption.require_firmware())


@given("a policy that this just meets in every field is set on the guide's key")
@when("a policy that this just meets in every field is set on the guide's key")
def hold_key_to_values(launch_policies: LaunchPolicies, values: LaunchValues) -> None:
    """Clause A-2.8, the control."""
    launch_policies.hold_key(launch_policies.insert(values.meets_all()))


@when(parsers.parse("a policy that this misses in its {field} is set on the guide's key"))
def hold_key_to_another_value(launch_policies: LaunchPolicies, values: LaunchValues, field: Field) -> None:
    """Clause A-2.8: a policy on this field and no other."""
    launch_policies.hold_key(launch_policies.insert(values.misses(field)))


@given(parsers.parse("a policy that this misses in its {field} is set for the offline KBC"))
def hold_keyset_to_another_value(
    launch_policies: LaunchPolicies, configuration: KataConfiguration, values: LaunchValues, field: Field
) -> None:
    """Clause A-2.8: a policy on this field and no other."""
    launch_policies.hold("offline", configuration, launch_policies.insert(values.misses(field)))


@given(parsers.parse("a policy that this just meets in its {field} is set for the offline KBC"))
def hold_keyset_to_value(
    launch_policies: LaunchPolicies, configuration: KataConfiguration, values: LaunchValues, field: Field
) -> None:
    """Clause A-2.8, the control."""
    launch_policies.hold("offline", configuration, launch_policies.insert(values.meets(field)))


@then("the KBS recorded that launch with what the platform shows")
def record_values(
    broker: Broker, confidential_pods: ConfidentialPods, values: LaunchValues, pod: Pod
) -> None:
    """Clause A-2.8: what a policy is held against."""
    recorded = broker.launches(confidential_pods.launch_of(pod).digest)
    assert recorded, "the KBS recorded no launch of this pod"
    difference = values.differs(recorded[-1])
    assert difference is None, difference
