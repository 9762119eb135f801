"""What a pod's VM was really started with, and what that measures to."""

from __future__ import annotations

from pytest_bdd import given, parsers, then

from lab.artefacts import Artefacts
from lab.broker import Broker
from lab.confidential import ConfidentialPods, KbcName
from lab.host import Host
from lab.kata import KBC_PARAMETER, KataConfiguration
from lab.launches import Launch
from lab.memory_encryption import MemoryEncryption
from lab.node import Node
from lab.outcome import Pod
from lab.profile import Profile
from lab.relay import Relay


@then("a QEMU process on the host is the pod's VM")
def find_vm(node: Node, pod: Pod) -> None:
    """Clause W-1.2: kata, and not a container of the host."""
    assert node.virtual_machine(pod.namespace, pod.name, pod.uid) is not None, (
        f"no QEMU process runs for the pod {pod.name}"
    )


@then("its VM is an SEV guest")
def be_sev_guest(confidential_pods: ConfidentialPods, memory_encryption: MemoryEncryption, pod: Pod) -> None:
    """Clauses W-3.3, W-4.3: QEMU's own arguments, and the kernel's word that it launches such guests."""
    qemu = confidential_pods.qemu_of(pod)
    assert qemu.sev_guest is not None, f"QEMU runs without a sev-guest object: {qemu.arguments}"
    assert qemu.sev_guest.get("kernel-hashes") == "on", f"sev-guest: {qemu.sev_guest}"
    assert "session-file" in qemu.sev_guest, f"launched without pre-attestation: {qemu.sev_guest}"
    assert qemu.machine.get("confidential-guest-support") == "sev", f"machine: {qemu.machine}"
    memory_encryption.require_switched_on()


@then(parsers.parse("its VM boots the {kbc}-KBC initrd that the node's configuration names"))
def boot_initrd(
    confidential_pods: ConfidentialPods,
    artefacts: Artefacts,
    host: Host,
    configuration: KataConfiguration,
    pod: Pod,
    kbc: KbcName,
) -> None:
    """Clauses W-3.1, W-4.1."""
    booted, pinned = confidential_pods.qemu_of(pod).initrd, artefacts.checksum(kbc)
    assert booted == configuration.initrd, (
        f"the VM boots the initrd {booted}, and {configuration.path} names {configuration.initrd}"
    )
    found = host.sha256(booted)
    assert found == pinned, f"{booted} is not the {kbc}-KBC initrd: SHA-256 {found}, pinned {pinned}"


@then("its kernel parameters name the online KBC and the KBS's address")
def name_kbc(confidential_pods: ConfidentialPods, broker: Broker, profile: Profile, pod: Pod) -> None:
    """Clause W-3.2."""
    parameters = confidential_pods.qemu_of(pod).append.split()
    named = [parameter for parameter in parameters if parameter.startswith(f"{KBC_PARAMETER}=")]
    wanted = f"{KBC_PARAMETER}={profile.kbc.online.name}::{broker.guest_address}"
    assert named == [wanted], f"the kernel parameters name {' and '.join(named) or 'no KBC'}, not {wanted}"


@then("its kernel parameters name no KBC")
def name_no_kbc(confidential_pods: ConfidentialPods, pod: Pod) -> None:
    """Clause W-4.2: a KBC that is named would override the initrd's own."""
    append = confidential_pods.qemu_of(pod).append
    named = [parameter for parameter in append.split() if KBC_PARAMETER in parameter]
    assert named == [], f"the kernel parameters name {' and '.join(named)}"


@then("the node's configuration asks for the launch secret of the offline KBC")
def ask_for_bundle(
    confidential_pods: ConfidentialPods, configuration: KataConfiguration, profile: Profile
) -> None:
    """Clause W-4.2: a bundle with its GUID, as the release's kata says it; read from the host again."""
    on_host = confidential_pods.node_configuration()
    assert on_host.text == configuration.text, "the node's configuration changed under the scenario"
    assert on_host.is_for(profile.kbc.offline), f"{on_host.path} does not set {profile.kbc.offline.settings}"


@then("its VM was started with the firmware, kernel and initrd of its kata configuration")
def boot_configuration(
    confidential_pods: ConfidentialPods, configuration: KataConfiguration, pod: Pod
) -> None:
    """Clause A-2.1."""
    qemu = confidential_pods.qemu_of(pod)
    named = (configuration.firmware, configuration.kernel, configuration.initrd)
    booted = (qemu.firmware, qemu.kernel, qemu.initrd)
    assert booted == named, f"the VM was started with {booted}, and {configuration.path} names {named}"


@then("its firmware, kernel and initrd are the files that the lab file pins")
def be_pinned(artefacts: Artefacts, configuration: KataConfiguration) -> None:
    """Clause A-2.1: a digest of other files would be no expectation."""
    differences = [
        artefacts.differs("firmware", configuration.firmware),
        artefacts.differs("kernel", configuration.kernel),
        artefacts.differs("initrd", configuration.initrd),
    ]
    assert differences == [None] * 3, "; ".join(filter(None, differences))


@then("its command line ends in its configuration's kernel parameters")
def end_in_parameters(
    confidential_pods: ConfidentialPods, configuration: KataConfiguration, pod: Pod
) -> None:
    """Clause A-2.2: kata puts its own parameters first."""
    append, own = confidential_pods.qemu_of(pod).append, configuration.kernel_params
    assert configuration.ends(append), (
        f"the guest's kernel parameters do not end in its configuration's, {' '.join(own)}, but are {append}"
    )
    assert len(append.split()) > len(own), "kata added none of its own parameters"


@given("its launch digest is known from a first launch", target_fixture="known_launch")
def know_launch(confidential_pods: ConfidentialPods, configuration: KataConfiguration) -> Launch:
    """The guide's way to the digest: start, look at QEMU, compute."""
    return confidential_pods.known_launch(configuration)


@then("its launch digest is the known one")
def repeat_digest(confidential_pods: ConfidentialPods, known_launch: Launch, pod: Pod) -> None:
    """Clause A-2.6: the same inputs measure to the same digest."""
    found = confidential_pods.launch_of(pod).digest
    assert found == known_launch.digest, f"the launch measures to {found}, not {known_launch.digest}"


@then("the KBS recorded two connections with different symmetric keys")
def connect_separately(confidential_pods: ConfidentialPods, broker: Broker, pods: list[Pod]) -> None:
    """Clause W-3.4: compared by the database, the keys stay there.

    A sandbox that kubelet had to start anew leaves a connection more.
    """
    digests = [confidential_pods.launch_of(pod).digest for pod in pods]
    launches = [broker.launches(digest) for digest in digests]
    for digest, recorded in zip(digests, launches, strict=True):
        assert recorded, broker.not_recorded(digest)
    ids = [launch.id for recorded in launches for launch in recorded]
    keys = broker.database.distinct_symkeys(ids)
    assert keys == len(ids), (
        f"{len(ids)} connections of two launches have {keys} symmetric keys in the KBS's database: "
        f"{', '.join(ids)}"
    )


@then("every request that the guests sent carried a guid of its own")
def ask_with_own_guids(relay: Relay, profile: Profile) -> None:
    """Clause W-3.4: as the guests sent them."""
    requests = relay.requests()
    keys = [request for request in requests if request.secret_id == profile.kbs.key_id]
    guids = [request.guid for request in requests]
    asking = {request.client_id for request in keys}
    assert len(asking) == 2, (
        f"of two guests {len(asking)} asked for the key {profile.kbs.key_id} through the relay, which saw "
        f"{len(requests)} requests"
    )
    twice = sorted({guid for guid in guids if guids.count(guid) > 1})
    assert twice == [], f"of {len(guids)} requests several carried the guid {', '.join(twice)}"
