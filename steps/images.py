"""Images on the host."""

from __future__ import annotations

from pytest_bdd import then

from lab.labfile import LabFile
from lab.node import Node
from lab.profile import Profile


@then("the host's containerd has no nginx image")
def have_no_nginx(node: Node, lab: LabFile, profile: Profile) -> None:
    """Clauses W-1.1, W-1.3 (guide: crictl … image ls | grep bitnami/nginx)."""
    reference = lab.images.nginx or profile.images.nginx
    found = node.images_of(reference)
    assert found == [], f"the host has {', '.join(found)}"
