"""The way through the guide's prerequisites, from states in which somebody left a host half-way."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from lab.convergence import Convergence
from lab.errors import NotProven
from lab.guide import Guide
from lab.labfile import Permissions
from lab.loading import load_profile
from lab.provisioning import Mode, Provisioning
from lab.record import MemoryRecord
from tests.lab.changes.test_boot_changes import ARGUMENTS, BAD, GOOD, NEW, OLD, BootingHost

if TYPE_CHECKING:
    from collections.abc import Callable

    from lab.execution import Result
    from lab.labfile import LabFile

PROFILE = load_profile(Path(__file__).parents[2] / "profiles/anolis-8.6-coco-0.3.0.toml")
WITH = f"ro quiet {ARGUMENTS}"
GRUB = {"grub2-efi-x64": BAD, "grub2-common": BAD}
OLDER = dict.fromkeys(GRUB, GOOD)


class WholeHost(BootingHost):
    """It hangs for good where the guide warns of it; its repositories are the guide's."""

    def run(self, command: str, *args: object, **more: Any) -> Result:
        self.says["awk"] = f"#file x\n[kernel]\nbaseurl={PROFILE.host.kernel_repository}\n"
        self.files[PROFILE.host.base_repository] = (
            b"[BaseOS]\nbaseurl=https://m/anolis/8.5/BaseOS/x86_64/os\n"
        )
        if command == "reboot":
            assert not ("mem_encrypt" in self.arguments and BAD in self.grub.values()), "the host hangs"
        return super().run(command, *args, **more)


@pytest.fixture
def converge(lab_of: Callable[..., LabFile]) -> Callable[..., None]:
    """Takes a host to SEV's kernel parameters; keyword arguments are permissions that are not given."""

    def make(host: BootingHost, **refused: bool) -> None:
        permissions = dict.fromkeys(Permissions.model_fields, True) | refused
        record = MemoryRecord()
        provisioning = Provisioning(mode=Mode.APPLY, permissions=Permissions(**permissions), record=record)
        guide = Guide(
            lab=lab_of({"host": "h", "known_hosts": "/dev/null"}),
            profile=PROFILE,
            host=host.as_host,
            cluster=cast("Any", SimpleNamespace(close=lambda: None)),
            broker=cast("Any", SimpleNamespace(require_answer=None)),
            artefacts=cast("Any", SimpleNamespace(fetched=lambda _: None)),
            record=record,
            unsettle=provisioning.unsettle,
            rebooted=lambda: None,
        )
        # As the scenarios ask for them, each on its own.
        for clause in ("P-2.1", "P-2.2", "P-3.1", "P-3.2", "P-3.3"):
            Convergence(provisioning, guide.stages()).reach(clause)

    return make


@pytest.mark.parametrize(
    ("host", "boots"),
    [
        (WholeHost(grub=dict(GRUB)), 2),
        # Somebody set the parameters, and stopped where the guide warns.
        (WholeHost(grub=dict(GRUB), arguments=WITH), 1),
        (WholeHost(grub=dict(GRUB), arguments=WITH, kernels=[OLD, NEW], default=NEW), 1),
        (WholeHost(grub=GRUB | {"grub2-common": GOOD}, arguments="ro mem_encrypt=off"), 2),
        # The kernel is installed, and not booted; or booted, and not the default.
        (WholeHost(grub=dict(GRUB), kernels=[OLD, NEW], default=NEW), 2),
        (WholeHost(grub=dict(OLDER), kernels=[OLD, NEW], default=OLD, running=(NEW, "ro quiet")), 1),
        # All is set, and only the last reboot is missing; or nothing is.
        (
            WholeHost(
                grub=dict(OLDER), arguments=WITH, kernels=[NEW], default=NEW, running=(NEW, "ro quiet")
            ),
            1,
        ),
        (WholeHost(grub=dict(OLDER), arguments=WITH, kernels=[NEW], default=NEW, running=(NEW, WITH)), 0),
    ],
)
def test_a_host_left_half_way_arrives_and_never_hangs(
    host: WholeHost, boots: int, converge: Callable[..., None]
) -> None:
    converge(host)
    assert host.running in ((NEW, WITH), (NEW, f"ro {ARGUMENTS}"))
    assert (set(host.grub.values()), host.boots) == ({GOOD}, boots)


@pytest.mark.parametrize("refused", ["reboot", "bootloader", "kernel", "packages"])
@pytest.mark.parametrize("arguments", ["ro quiet", WITH])
def test_without_a_permission_the_host_is_not_rebooted_into_a_hang(
    refused: str, arguments: str, converge: Callable[..., None]
) -> None:
    host = WholeHost(grub=dict(GRUB), arguments=arguments)
    if refused == "packages":
        # The repositories are the guide's already.
        converge(host, packages=False)
        return
    with pytest.raises(NotProven, match=f"permissions.{refused} = true"):
        converge(host, **{refused: False})
    assert host.arguments == arguments
    assert host.running[0] == OLD or refused == "bootloader"
