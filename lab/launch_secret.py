"""How long a launch secret may be: keysets of the suite's own that fit, and that do not.

The offline KBC gets a whole keyset in one secret. Linux takes at most 16 KiB for the platform's firmware
(include/linux/psp-sev.h, SEV_FW_BLOB_MAX_SIZE, which is the firmware's own limit), and refuses more before
the firmware sees it, as EINVAL. What the guest's firmware has set aside is smaller: 3 KiB in
edk2-stable202208 (OvmfPkg/AmdSev/AmdSevX64.fdf, PcdSevLaunchSecretSize). Nobody refuses a secret between the
two: it runs over the table of hashes that follows, and the guest does not boot.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Final

from lab.secret import Secret
from lab.workload import nonce

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lab.borrowing import Borrowing
    from lab.launch_policy import LaunchPolicies
    from lab.profile import Profile
    from lab.record import Record

LIMIT: Final = 16 << 10
SET_ASIDE: Final = 3 << 10

# QEMU, target/i386/sev.c, sev_inject_launch_secret, in the words of kata's monitor (CC-0.3.0,
# src/runtime/pkg/govmm/qemu/qmp.go): -22 is EINVAL, and no answer of the firmware's.
NOT_INJECTED: Final = "failed to inject secret ret=-22"

# The longest value of a row that simple-kbs' table takes is 1024 (0.1.1, db-mysql.sql); base64 of 765 bytes.
_FILLER: Final = "A" * 1020
_KEY_LENGTH: Final = 44


def secret_size(lengths: Iterable[tuple[int, int]]) -> int:
    """Bytes of a secret table with one bundle; `lengths` has each key's: of its id, and of its base64.

    Two headers of GUID and size, one JSON object, padded to 16 bytes (simple-kbs 0.1.1, src/request.rs).
    """
    bundle = 1 + sum(name + value + len('"":"",') for name, value in lengths)
    return (2 * 20 + bundle + 15) & ~15


class LaunchSecrets:
    """Keysets with the guide's key and others of no use, which make a launch secret as long as is meant."""

    def __init__(
        self, *, profile: Profile, policies: LaunchPolicies, borrowing: Borrowing, record: Record
    ) -> None:
        self._profile = profile
        self._policies = policies
        self._borrowing = borrowing
        self._record = record

    @cached_property
    def _fillers(self) -> list[str]:
        """Keys of the suite's own, as many as a launch secret has no room for; they guard nothing."""
        names = [f"conformance-{nonce()}-{number:02}" for number in range(LIMIT // len(_FILLER) + 1)]
        self._borrowing.secrets({name: Secret(_FILLER) for name in names})
        return names

    def too_long(self) -> str:
        """A keyset whose secret exceeds what the kernel takes; returns its id."""
        return self._keyset(self._fillers)

    def fitting(self) -> str:
        """A keyset with one of the same keys, whose secret fits into what the firmware set aside."""
        return self._keyset(self._fillers[:1])

    def _keyset(self, fillers: list[str]) -> str:
        key = self._profile.kbs.key_id
        keyset = self._policies.own_keyset([key, *fillers])
        lengths = [(len(key), _KEY_LENGTH), *((len(name), len(_FILLER)) for name in fillers)]
        self._record.evidence(f"launch secret of keyset {keyset}", f"{secret_size(lengths)} bytes")
        return keyset
