"""Whatever a client sends, it gets a status that 0.1.1 could give, and the server goes on."""

from __future__ import annotations

import base64
import uuid
from typing import TYPE_CHECKING, Any

import grpc
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from simlab.kbs.keybroker_pb2 import BundleRequest, OnlineSecretRequest, RequestDetails, SecretRequest
from tests.simlab.kbs.world import PATIENCE

if TYPE_CHECKING:
    from tests.simlab.kbs.world import DatabaseServer, Kbs, Launcher

BOUNDED = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
u32 = st.integers(0, (1 << 32) - 1)
texts = st.one_of(
    st.text(max_size=40),
    st.binary(max_size=100).map(lambda data: base64.b64encode(data).decode()),
    st.uuids().map(str),
)
details = st.builds(
    RequestDetails,
    Guid=texts,
    Format=st.sampled_from(["binary", "json", "JSON", ""]),
    SecretType=st.sampled_from(["bundle", "key", "report", "connection", "resource", "x"]),
    Id=st.one_of(st.sampled_from(["key_id1", "KEYSET-1", "' OR 1=1 -- "]), st.text(max_size=20)),
)


def answered(call: Any, request: object) -> None:
    try:
        call(request, timeout=PATIENCE)
    except grpc.RpcError as error:
        # Internal: a refusal. Cancelled: a panic.
        assert error.code() in (grpc.StatusCode.INTERNAL, grpc.StatusCode.CANCELLED)  # noqa: PT017
        assert "Exception calling application" not in (error.details() or "")  # noqa: PT017


@BOUNDED
@given(st.builds(BundleRequest, CertificateChain=texts, Policy=u32))
def test_bundles(kbs: Kbs, request_: BundleRequest) -> None:
    answered(kbs.stub.GetBundle, request_)


@BOUNDED
@given(
    st.builds(
        SecretRequest,
        LaunchMeasurement=texts,
        LaunchId=texts,
        Policy=u32,
        ApiMajor=u32,
        ApiMinor=u32,
        BuildId=u32,
        FwDigest=texts,
        LaunchDescription=texts,
        SecretRequests=st.lists(details, max_size=3),
    ),
    st.booleans(),
)
def test_secrets(launcher: Launcher, request_: SecretRequest, known: bool) -> None:
    if known:
        request_.LaunchId = launcher.get_bundle().LaunchId
    answered(launcher.kbs.stub.GetSecret, request_)


@BOUNDED
@given(st.lists(details, max_size=3), texts, st.booleans())
def test_online_secrets(
    launcher: Launcher, rows: DatabaseServer, wanted: list[RequestDetails], client_id: str, known: bool
) -> None:
    if known:
        client_id = str(uuid.UUID(int=1))
        rows.execute(
            "REPLACE INTO conn_bundle (id, policy, fw_api_major, fw_api_minor, fw_build_id,"
            " launch_description, fw_digest, symkey) VALUES (%s, 0, 1, 42, 42, '', '', %s)",
            client_id,
            base64.b64encode(bytes(32)).decode(),
        )
    answered(
        launcher.kbs.stub.GetOnlineSecret, OnlineSecretRequest(ClientId=client_id, SecretRequests=wanted)
    )


@BOUNDED
@given(st.binary(max_size=60))
def test_bytes_that_are_no_message(kbs: Kbs, data: bytes) -> None:
    raw = kbs.channel.unary_unary("/keybroker.KeyBrokerService/GetSecret", bytes, bytes)
    answered(raw, data)
    assert kbs.process.poll() is None
