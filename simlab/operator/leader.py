"""Leader election by a Lease, as client-go's `tools/leaderelection` does it with controller-runtime's times.

A manager that ends does not give its lease back (controller-runtime 0.12: LeaderElectionReleaseOnCancel is
off). The next one waits until it has seen no renewal for the lease's duration.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, Final

from simlab.kube.client import ApiError, ApiUnreachableError
from simlab.kube.objects import now_micro

if TYPE_CHECKING:
    from simlab.kube.client import Api

_DURATION_SECONDS: Final = 15.0
_DEADLINE_SECONDS: Final = 10.0
_RETRY_SECONDS: Final = 2.0
_NOT_FOUND: Final = 404


class Leader:
    """One candidate for a lease."""

    def __init__(self, api: Api, namespace: str, name: str, identity: str) -> None:
        self._api = api
        self._leases = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"
        self._name = name
        self._identity = identity
        self._seen: Any = None
        self._seen_at = 0.0

    async def acquire(self) -> None:
        """Wait until the lease is ours."""
        while not await self._try():  # noqa: ASYNC110 -- another process gives it up
            await asyncio.sleep(_RETRY_SECONDS)

    async def keep(self) -> None:
        """Renew the lease; returns when it is lost."""
        renewed = time.monotonic()
        while time.monotonic() - renewed < _DEADLINE_SECONDS:
            await asyncio.sleep(_RETRY_SECONDS)
            if await self._try():
                renewed = time.monotonic()

    async def _try(self) -> bool:
        try:
            return await self._take_or_renew()
        except (ApiError, ApiUnreachableError):
            return False

    async def _take_or_renew(self) -> bool:
        try:
            lease = await self._api.get(f"{self._leases}/{self._name}")
        except ApiError as error:
            if error.code != _NOT_FOUND:
                raise
            await self._api.create(self._leases, self._new())
            return True
        spec = lease["spec"]
        record = (spec.get("holderIdentity"), spec.get("renewTime"))
        if record != self._seen:
            self._seen, self._seen_at = record, time.monotonic()
        ours = record[0] == self._identity
        if record[0] and not ours and time.monotonic() - self._seen_at < _DURATION_SECONDS:
            return False
        if not ours:
            spec["acquireTime"] = now_micro()
            spec["leaseTransitions"] = int(spec.get("leaseTransitions") or 0) + 1
        spec["holderIdentity"], spec["renewTime"] = self._identity, now_micro()
        await self._api.replace(f"{self._leases}/{self._name}", lease)
        return True

    def _new(self) -> dict[str, Any]:
        return {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {"name": self._name},
            "spec": {
                "holderIdentity": self._identity,
                "leaseDurationSeconds": int(_DURATION_SECONDS),
                "acquireTime": now_micro(),
                "renewTime": now_micro(),
                "leaseTransitions": 0,
            },
        }
