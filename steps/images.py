"""Images on the host."""

from __future__ import annotations

from pytest_bdd import given, then

from lab.errors import NotProven
from lab.image_encryption import Registries
from lab.labfile import LabFile
from lab.node import Node
from lab.profile import Profile


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


@then("the host's containerd has no nginx image")
def have_no_nginx(node: Node, lab: LabFile, profile: Profile) -> None:
    """Clauses W-1.1, W-1.3 (guide: crictl … image ls | grep bitnami/nginx)."""
    reference = lab.images.nginx or profile.images.nginx
    found = node.images_of(reference)
    assert found == [], f"the host has {', '.join(found)}"
