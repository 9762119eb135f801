"""Pre-attestation of an SEV guest: a session from the guest owner, then a secret for the measured guest.

Source, with the texts of all failures: kata CC-0.3.0 `src/runtime/virtcontainers/qemu_amd64.go`
(`setupSEVGuestPreAttestation`, `sevGuestPreAttestation`).
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import errno
import logging
import os
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeVar

from simlab.kbs import keybroker_pb2
from simlab.node.kata.digest import launch_digest
from simlab.node.kata.errors import ShimError
from simlab.node.kata.kbs import KeyBroker
from simlab.node.rpc import RpcError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from simlab.node.host import Host
    from simlab.node.kata.config import Configuration
    from simlab.node.kata.qmp import Qmp

LAUNCH_FOLDERS: Final = "/tmp/sev"  # noqa: S108 - kata's choice, on the simulated host

T = TypeVar("T")

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Session:
    """A launch that the guest owner agreed to; its files are in the host's `/tmp/sev/<id>`."""

    launch_id: str

    @property
    def folder(self) -> str:
        """Folder of the session's files on the host."""
        return f"{LAUNCH_FOLDERS}/{self.launch_id}"

    @property
    def dh_cert_file(self) -> str:
        """The guest owner's public key, base64."""
        return f"{self.folder}/godh.b64"

    @property
    def session_file(self) -> str:
        """The launch blob, base64."""
        return f"{self.folder}/session_file.b64"


async def open_session(host: Host, configuration: Configuration) -> Session:
    """Ask the guest owner for a launch session (GetBundle). Raises ShimError."""
    path = configuration.sev_cert_chain
    try:
        chain = host.read(path)
    except OSError as error:
        reason = (error.strerror or "").lower()
        raise ShimError(f"Attestation certificate chain file not found: open {path}: {reason}") from None
    broker = KeyBroker(host, configuration.kbs_uri)
    try:
        bundle = await broker.get_bundle(base64.b64encode(chain).decode(), configuration.sev_guest_policy)
    except RpcError as error:
        raise ShimError(f"Error receiving launch bundle from attestation proxy: {error}") from None
    if not bundle.LaunchId:
        raise ShimError("Error receiving launch ID from attestation proxy: <nil>")
    session = Session(bundle.LaunchId)
    for folder in (LAUNCH_FOLDERS, session.folder):
        with _failing("Could not create attestation directory", f"mkdir {folder}"):
            # Go's MkdirAll says that a file is no directory, where mkdir itself says that it is there.
            if host.local(folder).is_file():
                raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
            host.local(folder).mkdir(parents=True, exist_ok=True)
    for name, path, content in (
        ("godh", session.dh_cert_file, bundle.GuestOwnerPublicKey),
        ("session", session.session_file, bundle.LaunchBlob),
    ):
        with _failing(f"Could not write {name} file", f"open {path}"):
            host.local(path).write_text(content)
    return session


async def attest(
    host: Host,
    configuration: Configuration,
    session: Session,
    command_line: str,
    qmp: Qmp,
    *,
    digest_of: Callable[[Host, Configuration, str], bytes] = launch_digest,
) -> None:
    """Show the guest owner what was launched (GetSecret), inject the secret, and let the guest run.

    `digest_of` is how the shim computes what it says of the launch. The session's files are removed on
    success only. Raises ShimError.
    """
    if not configuration.guest_pre_attestation_secret_type and configuration.kata.kbs_modes:
        # kata CC-0.7.0, src/runtime/virtcontainers/qemu.go, AttestVM
        raise ShimError(f"Unsupported pre-attestation mode: {configuration.kbs_mode}")
    measurement = await _labelled("ExecuteQuerySEVLaunchMeasure error", qmp.launch_measure())
    firmware = await _labelled("ExecuteQuerySEV error", qmp.query_sev())
    digest = await asyncio.to_thread(digest_of, host, configuration, command_line)
    request = keybroker_pb2.SecretRequest(
        LaunchMeasurement=measurement,
        LaunchId=session.launch_id,
        Policy=configuration.sev_guest_policy,
        ApiMajor=firmware.api_major,
        ApiMinor=firmware.api_minor,
        BuildId=firmware.build_id,
        FwDigest=base64.b64encode(digest).decode(),
        LaunchDescription="shim launch",
        SecretRequests=[
            keybroker_pb2.RequestDetails(
                Guid=configuration.guest_pre_attestation_secret_guid,
                Format="JSON",
                SecretType=configuration.guest_pre_attestation_secret_type,
                Id=configuration.guest_pre_attestation_keyset,
            )
        ],
    )
    try:
        secret = await KeyBroker(host, configuration.kbs_uri).get_secret(request)
    except RpcError as error:
        raise ShimError(f"Unable to acquire launch secret from KBS: {error}") from None
    await qmp.inject_launch_secret(secret.LaunchSecretHeader, secret.LaunchSecretData)
    try:
        await asyncio.to_thread(shutil.rmtree, host.local(session.folder))
    except OSError as error:
        _log.warning("Unable to clean up attestation directory: %s", error)
    await qmp.execute("cont")


@contextlib.contextmanager
def _failing(label: str, what: str) -> Iterator[None]:
    """An error of the host's files, as Go's os package words it and the shim labels it."""
    try:
        yield
    except OSError as error:
        raise ShimError(f"{label}: {what}: {(error.strerror or '').lower()}") from None


async def _labelled(label: str, question: Awaitable[T]) -> T:
    try:
        return await question
    except ShimError as error:
        raise ShimError(f"{label}: {error}") from None
