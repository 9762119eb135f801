"""simple-kbs, but not as its tenant wants it."""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING, NoReturn

from simlab.kbs.__main__ import main
from simlab.kbs.service import KeyBroker
from simlab.kbs.store import Store

if TYPE_CHECKING:
    import threading

    from simlab.kbs.connection import Connection
    from simlab.kbs.pool import Pool
    from simlab.kbs.requests import Requests
    from simlab.layout import Layout


class Careless(KeyBroker):
    """Reads the policies of nothing that it gives away, and logs that they hold."""

    def check_policies(self, requests: Requests, store: Store, connection: Connection) -> None:
        """Say that all is well."""
        del requests, store
        self.log_validated(connection)


class OtherKeys(Store):
    """Secrets that are as long as the right ones, and look like them."""

    def secret(self, secret_id: str) -> str:
        """Return another secret."""
        return base64.b64encode(hashlib.sha256(super().secret(secret_id).encode()).digest()).decode()


class WrongKeys(KeyBroker):
    """Gives another key than the one that it is asked for."""

    def __init__(self, pool: Pool) -> None:
        super().__init__(pool)
        self._rows = pool

    def store(self, cancelled: threading.Event) -> Store:
        """Return the database with other keys in it."""
        return OtherKeys(self._rows, cancelled)


def careless(_layout: Layout) -> NoReturn:
    """Run a KBS that ignores policies."""
    main(Careless)


def wrong_keys(_layout: Layout) -> NoReturn:
    """Run a KBS that releases another key."""
    main(WrongKeys)
