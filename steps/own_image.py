"""An encrypted image of the suite's own."""

from __future__ import annotations

from pytest_bdd import given, parsers, then, when

from lab.confidential import ConfidentialPods, KbcName
from lab.guest_registry import GuestRegistry
from lab.launch_policy import LaunchPolicies
from lab.outcome import Pod, Stage
from lab.own_image import OwnImage, OwnImages
from lab.profile import Profile
from lab.workload import Workloads


@given("a registry that guests can pull from")
def require_registry(guest_registry: GuestRegistry) -> None:
    """Precondition: the lab file names one."""
    guest_registry.require()


@given("a newly encrypted image in that registry, whose key is in the KBS", target_fixture="own_image")
def make_image(own_images: OwnImages) -> OwnImage:
    """Clause A-1.1: image and key go again after the scenario."""
    return own_images.make()


@when(parsers.parse("the new image is started with the {kbc} KBC"), target_fixture="pod")
def start_own_image(
    confidential_pods: ConfidentialPods, launch_policies: LaunchPolicies, own_image: OwnImage, kbc: KbcName
) -> Pod:
    """The manifest that was pushed, by its digest; for the offline KBC with a keyset of its own."""
    keyset = launch_policies.own_keyset([own_image.key_id]) if kbc == "offline" else None
    return confidential_pods.start(confidential_pods.configure(kbc, keyset=keyset), own=own_image)


@when("the KBS has another key in its place")
def replace_key(own_images: OwnImages, own_image: OwnImage) -> None:
    """A key of the same id and length."""
    own_images.replace_key(own_image)


@then("the pod is refused at its image, as the key does not decrypt it")
def refuse_to_decrypt(workloads: Workloads, profile: Profile, pod: Pod) -> None:
    """Clause A-1.1: the guest got a key, and the layer stayed closed."""
    workloads.require_refusal(pod, Stage.IMAGE, profile.messages.not_decrypted)
