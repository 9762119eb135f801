"""A VM whose guest, or whose QEMU, is another one than the node takes it for."""

from __future__ import annotations

import base64
import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from simlab.guest import kbc
from simlab.guest.attestation_agent import AttestationAgent
from simlab.guest.kbc import Kbc, KbcError
from simlab.guest.online_sev_kbc import OnlineSevKbc
from simlab.guest.vm import VirtualMachine
from simlab.release import versions

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

    from simlab.guest.boot import Booted
    from simlab.guest.qemu_arguments import Machine
    from simlab.guest.qmp import Arguments
    from simlab.layout import Layout
    from simlab.release.versions.release import Guest

HIDDEN_PARAMETER = " agent.debug_console"
"""What a QEMU that hides something adds to what its arguments show; `stand_ins.kata` tells it the KBS."""

_SAME_GUID = "00000000-0000-4000-8000-000000000000"


class LeakedKey:
    """A KBC that has the image's key without asking anybody."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def key(self, _kid: str) -> bytes:
        """Return the key."""
        return self._key

    def resource(self, _name: str) -> bytes:
        """Raise KbcError: it has nothing else."""
        raise KbcError("no resources")


class KeyInTheGuest(AttestationAgent):
    """Asks as it should, and where it gets no key takes the one that lies in the guest."""

    def __init__(
        self, guest: Guest, modules: AbstractSet[str], secrets: dict[str, bytes], key: bytes
    ) -> None:
        super().__init__(guest, modules, secrets)
        self._leaked, self._release = LeakedKey(key), guest

    def unwrap(self, kbc_params: str, annotation: bytes) -> bytes:
        """Unwrap a layer's private options. Raises KbcError."""
        try:
            return super().unwrap(kbc_params, annotation)
        except KbcError:
            return kbc.unwrap(self._release, self._leaked, annotation)


class WithKey(VirtualMachine):
    """A guest in whose root the key of the encrypted image lies."""

    def attestation_agent(self, system: Booted) -> AttestationAgent:
        """Make the attestation agent of the booted system."""
        key = versions.of(self._layout).image.key
        return KeyInTheGuest(system.guest, system.kbc_modules, system.secrets, key)


class SameGuid(OnlineSevKbc):
    """Gives every request the same guid."""

    def new_guid(self) -> str:
        """Make the guid of a request."""
        return _SAME_GUID


class Repeating(AttestationAgent):
    """Has the online KBC that repeats itself."""

    def _instantiate(self, name: str, kbs: str) -> Kbc:
        return SameGuid(kbs, self._secrets) if name == "online_sev_kbc" else super()._instantiate(name, kbs)


class WithRepeatingKbc(VirtualMachine):
    """A guest whose requests can be replayed."""

    def attestation_agent(self, system: Booted) -> AttestationAgent:
        """Make the attestation agent of the booted system."""
        return Repeating(system.guest, system.kbc_modules, system.secrets)


class HidesParameter(VirtualMachine):
    """A QEMU that starts its guest with one kernel parameter more than its arguments show."""

    def __init__(self, layout: Layout, machine: Machine) -> None:
        more = HIDDEN_PARAMETER if machine.sev else ""
        super().__init__(layout, replace(machine, append=machine.append + more))


class MakesMeasurementsUp(VirtualMachine):
    """A QEMU that shows the node an arbitrary number as the platform's measurement."""

    async def _query_launch_measure(self, _arguments: Arguments) -> Any:
        return {"data": base64.b64encode(os.urandom(48)).decode()}


def with_key(_layout: Layout) -> type[VirtualMachine]:
    """A guest that has the key."""
    return WithKey


def repeating(_layout: Layout) -> type[VirtualMachine]:
    """A guest that repeats its guid."""
    return WithRepeatingKbc


def hides_parameter(_layout: Layout) -> type[VirtualMachine]:
    """A QEMU that hides a parameter."""
    return HidesParameter


def makes_measurements_up(_layout: Layout) -> type[VirtualMachine]:
    """A QEMU that has no platform behind it."""
    return MakesMeasurementsUp
