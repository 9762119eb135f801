"""Pulling a container's image: policy, events, back-off (kubelet 1.24 `images/image_manager.go`)."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from simlab.node import clock
from simlab.node import pod as pods
from simlab.node.backoff import Backoff
from simlab.node.events import NORMAL, WARNING
from simlab.node.rpc import RpcError

if TYPE_CHECKING:
    from simlab.kube.client import Object
    from simlab.node.containerd.cri import Cri
    from simlab.node.containerd.records import Sandbox
    from simlab.node.events import EventRecorder


class PullError(Exception):
    """The image is not there. `reason` and `message` are for the container's status.

    `soon` tells a failure that just happened, which the kubelet's next look at the pod turns into back-off.
    """

    def __init__(self, reason: str, message: str, *, soon: bool = False) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.soon = soon


class ImagePuller:
    """Gets the images of one pod's containers."""

    def __init__(self, cri: Cri, events: EventRecorder) -> None:
        self._cri = cri
        self._events = events
        self._backoff = Backoff()

    async def ensure(self, pod: Object, container: Object, sandbox: Sandbox) -> str:
        """Return the image's reference, after a pull where the policy asks for one. Raises PullError."""
        image, policy, name = pods.image_of(container), pods.pull_policy(container), container["name"]
        shown = container["image"]
        if self._cri.image_present(image) and policy != "Always":
            text = f'Container image "{shown}" already present on machine'
            self._events.pod(pod, NORMAL, "Pulled", text, name)
            found = self._cri.images.find(image)
            return found.reference if found else ""
        if policy == "Never":
            text = f'Container image "{shown}" is not present with pull policy of Never'
            self._events.pod(pod, WARNING, "ErrImageNeverPull", text, name)
            raise PullError("ErrImageNeverPull", text)
        if self._backoff.remaining(image) > 0:
            text = f'Back-off pulling image "{shown}"'
            self._events.pod(pod, NORMAL, "BackOff", text, name)
            raise PullError("ImagePullBackOff", text)
        self._events.pod(pod, NORMAL, "Pulling", f'Pulling image "{shown}"', name)
        begin = time.monotonic()
        try:
            reference = await self._cri.pull_image(sandbox, image)
        except RpcError as error:
            self._events.pod(pod, WARNING, "Failed", f'Failed to pull image "{shown}": {error}', name)
            self._backoff.failed(image)
            raise PullError("ErrImagePull", str(error), soon=True) from None
        took = clock.go_duration(time.monotonic() - begin)
        self._events.pod(pod, NORMAL, "Pulled", f'Successfully pulled image "{shown}" in {took}', name)
        return reference
