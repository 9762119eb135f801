"""Reviews: questions that are created, answered and never stored.

Whoever is authenticated may do everything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from simlab.kube.decode import decode

if TYPE_CHECKING:
    from simlab.kube.auth import User
    from simlab.kube.objects import Obj
    from simlab.kube.resources import Resource


def answer(resource: Resource, body: Any, user: User) -> Obj:
    """Return a review with its answer."""
    review = decode(resource, body).obj
    if resource.kind == "TokenReview":
        review["status"] = {"authenticated": False, "user": {}}
    else:
        review["status"] = {"allowed": not user.anonymous}
    return review
