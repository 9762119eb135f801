"""The three calls of simple-kbs 0.1.1 (src/grpc/mod.rs), in its order of checks, with its words."""

from __future__ import annotations

import threading
import uuid
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, NoReturn

import grpc

from simlab.kbs import launch, rust, strict_base64, uuids
from simlab.kbs.connection import connection_of
from simlab.kbs.keybroker_pb2 import BundleResponse, OnlineSecretResponse, SecretResponse
from simlab.kbs.keybroker_pb2_grpc import KeyBrokerServiceServicer
from simlab.kbs.launch import LaunchError
from simlab.kbs.policy import PolicyViolationError
from simlab.kbs.pool import CancelledError, DatabaseError, Pool
from simlab.kbs.requests import Requests
from simlab.kbs.secrets import RequestError
from simlab.kbs.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator

    from simlab.kbs.connection import Connection
    from simlab.kbs.keybroker_pb2 import BundleRequest, OnlineSecretRequest, SecretRequest
    from simlab.sev.owner import Launch, Owner

_LOG: Final = rust.logger("grpc")


class _Refusal(Exception):  # noqa: N818
    """A request ends with status Internal and this message."""


class KeyBroker(KeyBrokerServiceServicer):
    """The service; launches that wait for their measurement live in memory, and only there."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._launches: dict[uuid.UUID, Owner] = {}
        self._lock = threading.Lock()

    def GetBundle(self, request: BundleRequest, context: grpc.ServicerContext) -> BundleResponse:  # noqa: N802
        """Begin a launch on the platform whose certificates the request holds."""
        with _answering(context):
            _LOG.info("Launch Bundle Requested")
            with _refusing("Failed to generate launch bundle"):
                bundle, owner = launch.start(request.Policy, request.CertificateChain)
            return self.opened(bundle, owner)

        return BundleResponse()  # cancelled: nobody sees it

    def opened(self, bundle: Launch, owner: Owner) -> BundleResponse:
        """Keep a launch until its measurement comes, and answer with what starts it."""
        launch_id = uuid.uuid4()
        with self._lock:
            self._launches[launch_id] = owner
        return BundleResponse(
            GuestOwnerPublicKey=strict_base64.encode(bundle.public_key),
            LaunchBlob=strict_base64.encode(bundle.session),
            LaunchId=str(launch_id),
        )

    def GetSecret(self, request: SecretRequest, context: grpc.ServicerContext) -> SecretResponse:  # noqa: N802
        """Check policies and measurement of a launch, and return its secrets for injection."""
        with _answering(context) as cancelled:
            _LOG.info("Secret Requested")
            store = self.store(cancelled)
            with _refusing("Malformed Launch ID"):
                launch_id = uuids.parse(request.LaunchId)
            connection = connection_of(request)
            with _refusing("Bad secret request"):
                requests = Requests(request.SecretRequests)
            self.check_policies(requests, store, connection)
            with self._lock:
                owner = self._launches.pop(launch_id, None)
            if owner is None:
                raise _Refusal(f"Launch ID not found. UUID: {launch_id}")
            with _refusing("Measurement Verification Failed"):
                verified = launch.verify(connection, request.LaunchMeasurement, owner)
            with _refusing("Cannot fulfill secret request"):
                table = requests.table(store, connection)
            header, ciphertext = verified.secret(table)
            return SecretResponse(
                LaunchSecretHeader=strict_base64.encode(header),
                LaunchSecretData=strict_base64.encode(ciphertext),
            )

        return SecretResponse()  # cancelled: nobody sees it

    def GetOnlineSecret(  # noqa: N802
        self, request: OnlineSecretRequest, context: grpc.ServicerContext
    ) -> OnlineSecretResponse:
        """Return secrets to a guest that was launched before, held to the policies as it was launched."""
        with _answering(context) as cancelled:
            store = self.store(cancelled)
            with _refusing("Malformed Client ID"):
                client_id = uuids.parse(request.ClientId)
            with _refusing("Connection not found"):
                connection, symkey = store.connection(client_id)
            with _refusing("Bad secret request"):
                requests = Requests(request.SecretRequests)
            self.check_policies(requests, store, connection)
            with _refusing("Cannot fulfill secret request"):
                secrets = requests.map(store, connection)
            with _refusing("Failed to encrypt secret"):
                payload, iv = launch.encrypt(secrets, symkey)
            return OnlineSecretResponse(Payload=payload, IV=iv)

        return OnlineSecretResponse()  # cancelled: nobody sees it

    def store(self, cancelled: threading.Event) -> Store:
        """Return the database for the time of one request."""
        return Store(self._pool, cancelled)

    def check_policies(self, requests: Requests, store: Store, connection: Connection) -> None:
        """Hold a launch to every policy that its request touches."""
        with _refusing("Policy validation failed"):
            for policy in requests.policies(store):
                policy.verify(connection)
        self.log_validated(connection)

    def log_validated(self, connection: Connection) -> None:
        """Say in the log that a launch is one that the policies allow."""
        _LOG.info("Policy validated succesfully. Connection: %s", connection.debug())


@contextmanager
def _refusing(stage: str) -> Iterator[None]:
    """Turn the errors of one stage into the refusal that names it."""
    try:
        yield
    except (DatabaseError, LaunchError, PolicyViolationError, RequestError, uuids.UuidError) as error:
        raise _Refusal(f"{stage}: {error}") from error


@contextmanager
def _answering(context: grpc.ServicerContext) -> Iterator[threading.Event]:
    """Turn what ends a request into what its client sees; yields what is set once the client is gone.

    A panic kills the task of its request: h2 0.3 then resets the stream with CANCEL, and a client sees the
    status CANCELLED. grpcio offers no bare reset; its `cancel` gives a client the same status.
    """
    cancelled = threading.Event()
    if not context.add_callback(cancelled.set):
        cancelled.set()
    try:
        yield cancelled
    except _Refusal as refusal:
        _abort(context, str(refusal))
    except rust.PanicError as panic:
        panic.report()
        context.cancel()  # type: ignore[no-untyped-call]
    except CancelledError:
        context.cancel()  # type: ignore[no-untyped-call]


def _abort(context: grpc.ServicerContext, text: str) -> NoReturn:
    context.abort(grpc.StatusCode.INTERNAL, text)
