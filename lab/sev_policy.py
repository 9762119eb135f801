"""The policy of an SEV guest, which its owner signs and the platform's firmware enforces.

AMD's Secure Encrypted Virtualization API (document 55766), chapter 3, "Guest Policy Structure".
"""

from __future__ import annotations

NO_DEBUG = 1 << 0
NO_KEY_SHARING = 1 << 1
ENCRYPTED_STATE = 1 << 2


def allows(policy: int) -> list[str]:
    """What a policy lets the host do to the guest that a confidential guest should not suffer."""
    dangers = {
        NO_DEBUG: "debugging, by which the host reads and writes the guest's memory (bit 0, NODBG, is clear)",
        NO_KEY_SHARING: "sharing the guest's key with another guest (bit 1, NOKS, is clear)",
    }
    return [danger for bit, danger in dangers.items() if not policy & bit]
