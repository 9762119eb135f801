"""Images on the host."""

from __future__ import annotations

from dataclasses import dataclass

from pytest_bdd import given, then

from lab.errors import NotProven
from lab.image_encryption import Registries
from lab.image_traces import Canary, ImageTraces
from lab.labfile import LabFile
from lab.node import Node
from lab.profile import Profile


@dataclass(frozen=True)
class HostBefore:
    """What the host had of an image before a guest pulled it."""

    canary: Canary
    found: set[str]


@given("the encrypted busybox's image is encrypted with the guide's key")
def require_encrypted(registries: Registries, lab: LabFile, profile: Profile) -> None:
    """Precondition: a plain image runs with any key, and with none."""
    image = lab.images.encrypted_busybox or profile.images.encrypted_busybox
    registries.require_encrypted(image, profile.kbs.kid, profile.kbs.wrapping_key)


@given("the host's containerd had no nginx image before, which W-1.1 proves")
def require_no_nginx(node: Node, lab: LabFile, profile: Profile) -> None:
    """Precondition: an image that was there says nothing of who pulled it."""
    if found := node.images_of(lab.images.nginx or profile.images.nginx):
        raise NotProven(f"the host had {', '.join(found)} before", owner="W-1.1")


@given("what it has of the image's layers and files is known", target_fixture="host_before")
def look_for_layers(image_traces: ImageTraces, lab: LabFile, profile: Profile) -> HostBefore:
    """Precondition: the folders of containerd are looked at, and not only what it lists."""
    canary = image_traces.canary(lab.images.nginx or profile.images.nginx)
    return HostBefore(canary, image_traces.require_absent(canary))


@then("the host got neither a layer of the image nor a file of it")
def get_no_layer(image_traces: ImageTraces, host_before: HostBefore) -> None:
    """Clause W-1.3: where containerd would have put what it pulled, whatever it lists."""
    new = image_traces.of(host_before.canary) - host_before.found
    assert not new, f"the host pulled the image, and not the guest: it has {', '.join(sorted(new))}"


@then("the host's containerd has no nginx image")
def have_no_nginx(node: Node, lab: LabFile, profile: Profile) -> None:
    """Clauses W-1.1, W-1.3 (guide: crictl … image ls | grep bitnami/nginx)."""
    reference = lab.images.nginx or profile.images.nginx
    found = node.images_of(reference)
    assert found == [], f"the host has {', '.join(found)}"
