"""kata's configuration file for SEV guests, edited as TOML.

Keys: kata-containers CC-0.3.0, src/runtime/config/configuration-qemu-sev.toml.in. Those that later releases
renamed are the profile's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import tomlkit
from tomlkit.exceptions import TOMLKitError

from lab.errors import LabError

if TYPE_CHECKING:
    from lab.profile import KbcSettings

KBC_PARAMETER = "agent.aa_kbc_params"
# What the shim adds last of all where the host's kernel is in FIPS mode (kata-containers CC-0.3.0,
# src/runtime/pkg/katautils/create.go, checkForFIPS).
FIPS_PARAMETER = "fips=1"


@dataclass(frozen=True)
class KataConfiguration:
    """One configuration file. Editing gives a new one; comments and order stay as they are."""

    path: str
    text: str

    @classmethod
    def parse(cls, path: str, data: bytes) -> KataConfiguration:
        """The configuration in `data`, which was read at `path` on the host.

        Raises LabError where it is no TOML or has no `[hypervisor.qemu]` table.
        """
        try:
            text = data.decode()
            document = tomlkit.parse(text)
        except (UnicodeDecodeError, TOMLKitError) as error:
            raise LabError(f"{path} on the host is not TOML: {error}") from None
        hypervisor = document.unwrap().get("hypervisor")
        if not isinstance(hypervisor, dict) or not isinstance(hypervisor.get("qemu"), dict):
            raise LabError(f"{path} on the host has no [hypervisor.qemu] table")
        return cls(path, text)

    @property
    def _qemu(self) -> dict[str, Any]:
        table: dict[str, Any] = tomlkit.parse(self.text).unwrap()["hypervisor"]["qemu"]
        return table

    def _string(self, key: str) -> str:
        value = self._qemu.get(key, "")
        if not isinstance(value, str):
            raise LabError(f"{self.path} on the host: {key} is {type(value).__name__}, not a string")
        return value

    @property
    def firmware(self) -> str:
        """The firmware's path on the host."""
        return self._string("firmware")

    @property
    def kernel(self) -> str:
        """The guest kernel's path on the host."""
        return self._string("kernel")

    @property
    def initrd(self) -> str:
        """The initrd's path on the host."""
        return self._string("initrd")

    @property
    def certificate_chain(self) -> str:
        """The certificate chain's path on the host."""
        return self._string("sev_cert_chain")

    @property
    def kernel_params(self) -> list[str]:
        """The guest's additional kernel parameters."""
        return self._string("kernel_params").split()

    def ends(self, append: str) -> bool:
        """Whether a guest's command line ends in this configuration's parameters.

        kata puts those that it adds first, but for one on a host in FIPS mode.
        """
        given, own = append.split(), self.kernel_params
        without_fips = given[:-1] if given[-1:] == [FIPS_PARAMETER] else given
        return any(each[len(each) - len(own) :] == own for each in (given, without_fips))

    def is_for(self, kbc: KbcSettings) -> bool:
        """Whether the KBS is asked for this KBC's launch secret."""
        return all(self._string(key) == value for key, value in kbc.settings.items())

    @property
    def keyset(self) -> str:
        """The keyset that a `bundle` holds."""
        return self._string("guest_pre_attestation_keyset")

    @property
    def sev_policy(self) -> int:
        """The SEV guest policy's flags."""
        return int(self._qemu.get("sev_guest_policy", 0))

    def with_values(self, **values: str | int | bool) -> KataConfiguration:
        """The same configuration with these keys of `[hypervisor.qemu]` set."""
        document = tomlkit.parse(self.text)
        table = document["hypervisor"]["qemu"]
        for key, value in values.items():
            table[key] = value
        return KataConfiguration(self.path, tomlkit.dumps(document))

    def with_kernel_params(self, *params: str, without: tuple[str, ...] = ()) -> KataConfiguration:
        """The same configuration with these parameters once, and none that is named in `without`."""
        names = {param.partition("=")[0] for param in params} | set(without)
        kept = [param for param in self.kernel_params if param.partition("=")[0] not in names]
        return self.with_values(kernel_params=" ".join([*kept, *params]))

    def for_online_kbc(
        self, kbc: KbcSettings, kbs_address: str, *, kbs_uri: str | None = None
    ) -> KataConfiguration:
        """As the guide sets it up for the online KBC (guide: 基于online KBC), from whatever it was.

        `kbs_uri` is the key that has kata name the KBC and this address to the guest by itself.
        """
        own = self.with_values(**kbc.settings)
        if kbs_uri is None:
            return own.asking(kbc, kbs_address)
        return own.with_values(**{kbs_uri: kbs_address}).with_kernel_params(without=(KBC_PARAMETER,))

    def asking(self, kbc: KbcSettings, kbs_address: str) -> KataConfiguration:
        """The guest's KBC asks at this address: kata's own parameters come first, and the last one counts."""
        return self.with_kernel_params(f"{KBC_PARAMETER}={kbc.name}::{kbs_address}")

    def for_offline_kbc(self, kbc: KbcSettings) -> KataConfiguration:
        """As the guide sets it up for the offline KBC (guide: 基于offline KBC), from whatever it was.

        A KBC that the online edit named would override the initrd's own, so it goes.
        """
        return self.with_values(**kbc.settings).with_kernel_params(without=(KBC_PARAMETER,))
