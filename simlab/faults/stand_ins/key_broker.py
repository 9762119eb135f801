"""simple-kbs, but not as its tenant wants it."""

from __future__ import annotations

import base64
import hashlib
import threading
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Final, NoReturn

from simlab.kbs.__main__ import main
from simlab.kbs.connection import connection_of
from simlab.kbs.service import KeyBroker
from simlab.kbs.store import Store
from simlab.sev.chain import Chain
from simlab.sev.owner import Owner

if TYPE_CHECKING:
    import uuid
    from pathlib import Path

    import grpc

    from simlab.kbs.connection import Connection
    from simlab.kbs.keybroker_pb2 import BundleRequest, BundleResponse, SecretRequest, SecretResponse
    from simlab.kbs.policy import Policy
    from simlab.kbs.pool import Pool
    from simlab.kbs.requests import Requests
    from simlab.layout import Layout

# 32 bytes, as long as a digest of SHA-256.
_NO_DIGEST: Final = base64.b64encode(bytes(32)).decode()


class Careless(KeyBroker):
    """Reads the policies of nothing that it gives away, and logs that they hold."""

    def check_policies(self, requests: Requests, store: Store, connection: Connection) -> None:
        """Say that all is well."""
        del requests, store
        self.log_validated(connection)


class OtherDatabase(KeyBroker):
    """Works on another store than it should."""

    def __init__(self, pool: Pool, store: type[Store]) -> None:
        super().__init__(pool)
        self._store, self._rows = store, pool

    def store(self, cancelled: threading.Event) -> Store:
        """Return the database for the time of one request."""
        return self._store(self._rows, cancelled)


class OtherKeys(Store):
    """Secrets that are as long as the right ones, and look like them."""

    def secret(self, secret_id: str) -> str:
        """Return another secret."""
        return base64.b64encode(hashlib.sha256(super().secret(secret_id).encode()).digest()).decode()


class KeysKept(Store):
    """Secrets as they were when they were first asked for."""

    _kept: Final[dict[str, str]] = {}

    def secret(self, secret_id: str) -> str:
        """Return a secret as it stood in its row once."""
        if secret_id not in self._kept:
            self._kept[secret_id] = super().secret(secret_id)
        return self._kept[secret_id]


class FirstKeyOnly(Store):
    """Keysets of one key, however many they list."""

    def keyset(self, keyset_id: str) -> list[str]:
        """Return the id of a keyset's first secret."""
        return super().keyset(keyset_id)[:1]


class OneSymkey(Store):
    """Connections that all have the same symmetric key."""

    def new_symkey(self) -> bytes:
        """Make the symmetric key of a connection."""
        return bytes(range(32))


class BlindTo(Store):
    """Policies of which some fields allow everything."""

    blind: ClassVar[dict[str, Any]]

    def _policy(self, identifier: int) -> Policy:
        return replace(super()._policy(identifier), **self.blind)


class BlindToDigest(BlindTo):
    """Policies that allow every digest."""

    blind: ClassVar = {"allowed_digests": []}


class BlindToFlags(BlindTo):
    """Policies that allow every SEV policy."""

    blind: ClassVar = {"allowed_policies": []}


class BlindToMinor(BlindTo):
    """Policies that ask for no API minor."""

    blind: ClassVar = {"min_fw_api_minor": 0}


class BlindToBuild(BlindTo):
    """Policies that allow every build."""

    blind: ClassVar = {"allowed_build_ids": []}


class AllowsNoDigest(Store):
    """Policies that allow no digest where they list any."""

    def _policy(self, identifier: int) -> Policy:
        policy = super()._policy(identifier)
        return replace(policy, allowed_digests=[_NO_DIGEST] if policy.allowed_digests else [])


class RecordsAll(KeyBroker):
    """Records a connection of every launch, also of one that asks for none."""

    def GetSecret(self, request: SecretRequest, context: grpc.ServicerContext) -> SecretResponse:  # noqa: N802
        """Return the secrets of a launch for injection."""
        answer = super().GetSecret(request, context)
        connection = connection_of(request)
        if all(each.SecretType != "connection" for each in request.SecretRequests):
            self._record(connection)
        return answer

    def _record(self, connection: Connection) -> uuid.UUID:
        identifier, _ = self.store(threading.Event()).insert_connection(connection)
        return identifier


class TrustsEveryChain(KeyBroker):
    """Opens a launch for a certificate chain of which it verifies no signature."""

    def GetBundle(self, request: BundleRequest, context: grpc.ServicerContext) -> BundleResponse:  # noqa: N802
        """Begin a launch on the platform whose certificates the request holds."""
        del context
        owner = Owner(request.Policy)
        chain = Chain.decode(base64.b64decode(request.CertificateChain))
        return self.opened(owner.start(chain.platform.pdh), owner)


class TellsOthers(KeyBroker):
    """Gives every key to somebody else as well."""

    def __init__(self, pool: Pool, told: Path) -> None:
        super().__init__(pool)
        self._rows, self._told = pool, told

    def store(self, cancelled: threading.Event) -> Store:
        """Return the database for the time of one request."""
        return _Overheard(self._rows, cancelled, self._told)


class _Overheard(Store):
    def __init__(self, pool: Pool, cancelled: threading.Event, told: Path) -> None:
        super().__init__(pool, cancelled)
        self._told = told

    def secret(self, secret_id: str) -> str:
        """Return a secret as it stands in its row."""
        secret = super().secret(secret_id)
        with self._told.open("a") as file:
            file.write(f"{secret_id} {secret}\n")
        return secret


def _run(store: type[Store]) -> NoReturn:
    main(partial(OtherDatabase, store=store))


def careless(_layout: Layout) -> NoReturn:
    """Run a KBS that ignores policies."""
    main(Careless)


def wrong_keys(_layout: Layout) -> NoReturn:
    """Run a KBS that releases another key."""
    _run(OtherKeys)


def keys_kept(_layout: Layout) -> NoReturn:
    """Run a KBS that never reads a key twice."""
    _run(KeysKept)


def first_key_only(_layout: Layout) -> NoReturn:
    """Run a KBS that cuts bundles short."""
    _run(FirstKeyOnly)


def one_symkey(_layout: Layout) -> NoReturn:
    """Run a KBS whose connections share a key."""
    _run(OneSymkey)


def blind_to_digest(_layout: Layout) -> NoReturn:
    """Run a KBS that compares no digest."""
    _run(BlindToDigest)


def blind_to_flags(_layout: Layout) -> NoReturn:
    """Run a KBS that compares no SEV policy."""
    _run(BlindToFlags)


def blind_to_minor(_layout: Layout) -> NoReturn:
    """Run a KBS that compares no API minor."""
    _run(BlindToMinor)


def blind_to_build(_layout: Layout) -> NoReturn:
    """Run a KBS that compares no build."""
    _run(BlindToBuild)


def allows_no_digest(_layout: Layout) -> NoReturn:
    """Run a KBS that refuses every digest that a policy lists."""
    _run(AllowsNoDigest)


def records_all(_layout: Layout) -> NoReturn:
    """Run a KBS that records connections of offline launches."""
    main(RecordsAll)


def trusts_every_chain(_layout: Layout) -> NoReturn:
    """Run a KBS that verifies no chain."""
    main(TrustsEveryChain)


def tells_others(layout: Layout) -> NoReturn:
    """Run a KBS that tells somebody else all that it gives away."""
    main(partial(TellsOthers, told=layout.world / "somebody-else"))
