"""The attestation agent: picks the KBC that the parameters name, if it was built with it.

Sources: attestation-agent v0.3.0, src/lib.rs and app/src/grpc/keyprovider/mod.rs; guest-components v0.7.0,
attestation-agent/lib and app.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from simlab.guest import kbc
from simlab.guest.kbc import Kbc, KbcError
from simlab.guest.offline_sev_kbc import OfflineSevKbc
from simlab.guest.online_sev_kbc import OnlineSevKbc

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

    from simlab.release.versions.release import Guest

_SEPARATOR: Final = "::"


class AttestationAgent:
    """Key provider of one guest. A KBC lives from its first use to the guest's end."""

    def __init__(self, guest: Guest, modules: AbstractSet[str], secrets: dict[str, bytes]) -> None:
        self._guest = guest
        self._modules = modules
        self._secrets = secrets
        self._instances: dict[str, Kbc] = {}

    def unwrap(self, kbc_params: str, annotation: bytes) -> bytes:
        """Unwrap a layer's private options; `kbc_params` is KBC::KBS. Raises KbcError."""
        return kbc.unwrap(self._guest, self._kbc(kbc_params), annotation)

    def resource(self, kbc_params: str, name: str) -> bytes:
        """Get a resource. Raises KbcError."""
        return self._kbc(kbc_params).resource(name)

    def _kbc(self, kbc_params: str) -> Kbc:
        name, separator, kbs = kbc_params.partition(_SEPARATOR)
        if not separator:
            raise KbcError("KBC/KBS pair not found")
        if name not in self._modules:
            raise KbcError(f"AA does not support the given KBC module! Module: {name}")
        if name not in self._instances:
            self._instances[name] = self._instantiate(name, kbs)
        return self._instances[name]

    def _instantiate(self, name: str, kbs: str) -> Kbc:
        if name == "online_sev_kbc":
            return OnlineSevKbc(kbs, self._secrets)
        if name == "offline_sev_kbc":
            return OfflineSevKbc(self._secrets)
        # offline_fs_kbc of the guests that are not confidential: its key file is not in their root.
        raise KbcError("Failed to load keys: No such file or directory (os error 2)")
