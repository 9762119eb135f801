"""kata's shim, but it launches another guest than its configuration says, or tells something else of it."""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from simlab.faults.stand_ins.guest import HIDDEN_PARAMETER
from simlab.node.__main__ import main
from simlab.node.containerd.cri import Cri
from simlab.node.kata import attestation
from simlab.node.kata.cmdline import kernel_parameters
from simlab.node.kata.shim import KataShim
from simlab.release import paths

if TYPE_CHECKING:
    from collections.abc import Callable

    from simlab.layout import Layout
    from simlab.node.host import Host
    from simlab.node.kata.config import Configuration
    from simlab.node.kata.qmp import Qmp

_KBC_PARAMETER: Final = "agent.aa_kbc_params="
_ADDED_PARAMETER: Final = "agent.log=debug"


class WithoutSev(KataShim):
    """Starts a plain VM where an SEV guest is asked for."""

    async def _start(self, configuration: Configuration) -> None:
        await super()._start(replace(configuration, confidential_guest=False))


class StockInitrd(KataShim):
    """Boots the node's own initrd, whichever the pod's configuration names."""

    async def _start(self, configuration: Configuration) -> None:
        if configuration.confidential_guest:
            configuration = replace(configuration, initrd=paths.SEV_INITRD)
        await super()._start(configuration)


class WithoutKbcParameter(KataShim):
    """Leaves the parameter out that names the guest's KBC."""

    async def _start(self, configuration: Configuration) -> None:
        kept = tuple(one for one in configuration.kernel_params if not one.startswith(_KBC_PARAMETER))
        await super()._start(replace(configuration, kernel_params=kept))


class MoreParameters(KataShim):
    """Gives the guest's kernel a parameter that nobody asked for, after all others."""

    async def _start(self, configuration: Configuration) -> None:
        more = (*configuration.kernel_params, _ADDED_PARAMETER)
        await super()._start(replace(configuration, kernel_params=more))


class CopiedInitrd(KataShim):
    """Boots a copy of the initrd that the pod's configuration names, from another place."""

    async def _start(self, configuration: Configuration) -> None:
        if configuration.confidential_guest:
            copy = f"/run/initrd-{self.sandbox_id[:12]}.img"
            shutil.copyfile(self._host.local(configuration.initrd), self._host.local(copy))
            configuration = replace(configuration, initrd=copy)
        await super()._start(configuration)


class NamesOfflineKbc(KataShim):
    """Names the offline KBC to a guest whose configuration names none."""

    async def _start(self, configuration: Configuration) -> None:
        if not any(one.startswith(_KBC_PARAMETER) for one in configuration.kernel_params):
            named = (*configuration.kernel_params, f"{_KBC_PARAMETER}offline_sev_kbc::null")
            configuration = replace(configuration, kernel_params=named)
        await super()._start(configuration)


class OtherSevPolicy(KataShim):
    """Launches every SEV guest with the policy 0, which allows all."""

    async def _start(self, configuration: Configuration) -> None:
        await super()._start(replace(configuration, sev_guest_policy=0))


class FixedDigest(KataShim):
    """Tells the guest owner the digest that a platform has which measures no guest."""

    async def attest(self, configuration: Configuration, session: attestation.Session, qmp: Qmp) -> None:
        """Have the guest owner judge the launch. Raises ShimError."""
        command_line = kernel_parameters(configuration)
        await attestation.attest(
            self._host, configuration, session, command_line, qmp, digest_of=_always_the_same
        )


class HidesParameter(KataShim):
    """Tells the guest owner what QEMU really started, which its arguments do not show."""

    async def attest(self, configuration: Configuration, session: attestation.Session, qmp: Qmp) -> None:
        """Have the guest owner judge the launch. Raises ShimError."""
        command_line = kernel_parameters(configuration) + HIDDEN_PARAMETER
        await attestation.attest(self._host, configuration, session, command_line, qmp)


def _always_the_same(_host: Host, _configuration: Configuration, _command_line: str) -> bytes:
    return hashlib.sha256(b"always the same").digest()


def _run(shim: type[KataShim]) -> None:
    def containerd(host: Host, usual: Callable[..., Any]) -> Cri:
        # A maker of shims, with the VM's program bound to it.
        return Cri(host, partial(shim, **usual.keywords))  # type: ignore[attr-defined]

    main(containerd)


def without_sev(_layout: Layout) -> None:
    """Run a node whose kata starts no SEV guest."""
    _run(WithoutSev)


def stock_initrd(_layout: Layout) -> None:
    """Run a node whose kata boots the node's own initrd always."""
    _run(StockInitrd)


def without_kbc_parameter(_layout: Layout) -> None:
    """Run a node whose kata names no KBC to the guest."""
    _run(WithoutKbcParameter)


def copied_initrd(_layout: Layout) -> None:
    """Run a node whose kata boots copies of initrds."""
    _run(CopiedInitrd)


def names_offline_kbc(_layout: Layout) -> None:
    """Run a node whose kata names a KBC on its own."""
    _run(NamesOfflineKbc)


def more_parameters(_layout: Layout) -> None:
    """Run a node whose kata adds a parameter."""
    _run(MoreParameters)


def other_sev_policy(_layout: Layout) -> None:
    """Run a node whose kata takes no SEV policy from its configuration."""
    _run(OtherSevPolicy)


def fixed_digest(_layout: Layout) -> None:
    """Run a node whose kata tells a digest that is fixed."""
    _run(FixedDigest)


def hides_parameter(_layout: Layout) -> None:
    """Run a node whose kata knows what its QEMU hides."""
    _run(HidesParameter)
