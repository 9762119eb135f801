"""The offline SEV KBC: keys come with the launch secret.

Source: attestation-agent v0.3.0, src/kbc_modules/offline_sev_kbc.
"""

from __future__ import annotations

import base64
import binascii
import json
from typing import Final

from simlab.guest.kbc import KbcError

GUID: Final = "e6f5a162-d67f-4750-a67c-5d065f2a9910"


class OfflineSevKbc:
    """Holds the keyset that was injected at launch, and talks to nobody."""

    def __init__(self, secrets: dict[str, bytes]) -> None:
        """Take the secret out of the guest's files; a failure shows when a key is asked for."""
        self._keys: dict[str, bytes] = {}
        self._failure = ""
        try:
            encoded = json.loads(secrets.pop(GUID))
            self._keys = {kid: base64.b64decode(key, validate=True) for kid, key in encoded.items()}
        except KeyError:
            self._failure = "Failed to load keys: No such file or directory (os error 2)"
        except (ValueError, AttributeError, TypeError, binascii.Error):
            self._failure = "Failed to load keys: Failed to parse keys JSON file"

    def key(self, kid: str) -> bytes:
        """Look a key up. Raises KbcError."""
        if self._failure:
            raise KbcError(self._failure)
        if kid not in self._keys:
            raise KbcError(f"Received unknown key ID: {kid}")
        return self._keys[kid]

    def resource(self, _name: str) -> bytes:
        """Raise KbcError: this KBC has no resources."""
        raise KbcError("Get Resource API of this KBC is unimplement!")
