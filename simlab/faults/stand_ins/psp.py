"""The SEV firmware, but not as AMD made it."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from simlab.psp.__main__ import main
from simlab.psp.firmware import SevFirmware
from simlab.psp.guest import Guest

if TYPE_CHECKING:
    from simlab.layout import Layout


class SameForAll(Guest):
    """A guest whose launch digest is the same whatever was loaded into it."""

    def update_data(self, data: bytes) -> None:
        """Take memory, and measure none of it."""
        super().update_data(data)
        self._digest = hashlib.sha256(b"always the same")


class FixedDigest(SevFirmware):
    """Measures no guest."""

    def new_guest(self, policy: int, asid: int, keys: tuple[bytes, bytes]) -> Guest:
        """Make a guest's context."""
        return SameForAll(self.platform.firmware, policy, asid, keys)


def fixed_digest(_layout: Layout) -> None:
    """Run a platform whose digest is fixed."""
    main(FixedDigest)
