from __future__ import annotations

import base64
import contextlib
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import grpc
import pytest

from lab.errors import LabError, Unreachable
from lab.kbs import keybroker_pb2 as messages
from lab.kbs import service as service_module
from lab.kbs.service import KbsService, SecretWish
from lab.kbs.wire import PREFACE, OnlineRequest, online_requests

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from lab.host import Host
    from lab.record import MemoryRecord


class KbsPeer(grpc.GenericRpcHandler):  # type: ignore[type-arg] # generic in the stubs only
    """A gRPC server that answers as it is told, and keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, Any]] = []
        self.refusal: tuple[grpc.StatusCode, str] | None = None
        self.delay = threading.Event()
        self.delay.set()
        self._server = grpc.server(ThreadPoolExecutor(4))
        self._server.add_generic_rpc_handlers((self,))
        self.port = self._server.add_insecure_port("127.0.0.1:0")
        self._server.start()

    def stop(self) -> None:
        self.delay.set()
        self._server.stop(0).wait(5)

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[Any, Any] | None:
        method = details.method.removeprefix("/keybroker.KeyBrokerService/")
        calls: dict[str, tuple[Any, Any]] = {
            "GetBundle": (
                messages.BundleRequest,
                messages.BundleResponse(GuestOwnerPublicKey="key", LaunchBlob="blob", LaunchId="id"),
            ),
            "GetSecret": (
                messages.SecretRequest,
                messages.SecretResponse(LaunchSecretHeader="header", LaunchSecretData="data"),
            ),
            "GetOnlineSecret": (
                messages.OnlineSecretRequest,
                messages.OnlineSecretResponse(Payload="payload", IV="iv"),
            ),
        }
        request, answer = calls[method]

        def serve(asked: Any, context: grpc.ServicerContext) -> Any:
            self.asked.append((method, asked))
            self.delay.wait(20)
            if self.refusal:
                context.abort(*self.refusal)
            return answer

        return grpc.unary_unary_rpc_method_handler(
            serve, request.FromString, lambda made: made.SerializeToString()
        )


@pytest.fixture
def peer() -> Iterator[KbsPeer]:
    kbs = KbsPeer()
    yield kbs
    kbs.stop()


@pytest.fixture
def service(peer: KbsPeer, record: MemoryRecord) -> KbsService:
    return KbsService(f"127.0.0.1:{peer.port}", record=record)


def test_a_bundle_is_asked_for_as_the_shim_does(service: KbsService, peer: KbsPeer) -> None:
    answer = service.get_bundle(b"chain", 3)
    assert (answer.status, answer.granted, answer.launch_id) == ("OK", True, "id")
    assert (answer.guest_owner_public_key, answer.launch_blob) == ("key", "blob")
    chain = base64.b64encode(b"chain").decode()
    assert peer.asked == [("GetBundle", messages.BundleRequest(CertificateChain=chain, Policy=3))]


def test_a_launch_secret_is_asked_for_as_the_shim_does(service: KbsService, peer: KbsPeer) -> None:
    answer = service.get_secret(
        measurement=b"m" * 48,
        launch_id="id",
        policy=3,
        api_major=1,
        api_minor=52,
        build_id=4,
        fw_digest="digest",
        wishes=[SecretWish("guid", "connection", "KEYSET-1")],
    )
    assert (answer.status, answer.header, answer.data) == ("OK", "header", "data")
    _, asked = peer.asked[0]
    assert (asked.LaunchMeasurement, asked.FwDigest) == (base64.b64encode(b"m" * 48).decode(), "digest")
    assert (asked.Policy, asked.ApiMajor, asked.ApiMinor, asked.BuildId) == (3, 1, 52, 4)
    assert list(asked.SecretRequests) == [
        messages.RequestDetails(Guid="guid", Format="binary", SecretType="connection", Id="KEYSET-1")
    ]


def test_a_refusal_is_the_kbs_s_own_words(service: KbsService, peer: KbsPeer, record: MemoryRecord) -> None:
    said = "Policy validation failed: fw digest not valid"
    peer.refusal = (grpc.StatusCode.INTERNAL, said)
    answer = service.get_online_secret("client", "guid", "key_id1")
    assert (answer.status, answer.text, answer.granted, answer.payload) == ("INTERNAL", said, False, "")
    assert record.evidences == [
        ("KBS: GetOnlineSecret", {"call": "GetOnlineSecret", "status": "INTERNAL", "text": said})
    ]


def test_a_granted_key_is_not_recorded(service: KbsService, record: MemoryRecord) -> None:
    answer = service.get_online_secret("client", "guid", "key_id1")
    assert (answer.payload, answer.iv) == ("payload", "iv")
    assert "payload" not in repr(answer)
    assert "payload" not in repr(record.evidences)


def test_an_answer_that_never_comes_is_a_status(
    service: KbsService, peer: KbsPeer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service_module, "ANSWER", 0.3)
    peer.delay.clear()
    assert service.get_online_secret("client", "guid", "key").status == "DEADLINE_EXCEEDED"


def _serve_once(listener: socket.socket, conversation: Callable[[socket.socket], None]) -> None:
    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            conversation(connection)

    threading.Thread(target=serve, daemon=True).start()


def test_a_connection_that_breaks_in_a_call_is_an_answer(record: MemoryRecord) -> None:
    """So looks a panic of simple-kbs: the server took the call, and the connection is gone."""

    def panic(connection: socket.socket) -> None:
        connection.sendall(b"\0\0\0\4\0\0\0\0\0")  # an empty SETTINGS frame: HTTP/2 is under way
        said = b""
        while b"Broker" not in said and len(said) < 200:
            said += connection.recv(4096)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        _serve_once(listener, panic)
        service = KbsService(f"127.0.0.1:{listener.getsockname()[1]}", record=record)
        assert service.get_bundle(b"chain", 0).status == "UNAVAILABLE"


def _refusal(service: KbsService) -> str:
    with pytest.raises(Unreachable) as refused:
        service.get_bundle(b"chain", 0)
    assert refused.value.service == "kbs"
    return str(refused.value)


def test_a_port_where_nobody_listens_is_told_and_found_again(record: MemoryRecord) -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    service = KbsService(f"127.0.0.1:{port}", record=record, name="192.0.2.1:44444")
    started = time.monotonic()
    assert "192.0.2.1:44444 does not answer: no connection comes about" in _refusal(service)
    assert time.monotonic() - started < 3


def test_a_server_that_says_nothing_costs_one_timeout(
    record: MemoryRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service_module, "CONNECT", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as mute:
        started = time.monotonic()
        service = KbsService(f"127.0.0.1:{mute.getsockname()[1]}", record=record)
        assert "no gRPC within" in _refusal(service)
        assert time.monotonic() - started < 3


def test_a_proxy_of_the_runner_s_is_not_asked(service: KbsService, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "grpc_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert service.get_bundle(b"chain", 0).granted


def test_it_is_reached_through_the_host(host: Host, peer: KbsPeer, record: MemoryRecord) -> None:
    with host.forward("127.0.0.1", peer.port) as port:
        assert KbsService(f"127.0.0.1:{port}", record=record).get_bundle(b"chain", 0).granted
    with socket.create_server(("127.0.0.1", 0)) as unused:
        free = unused.getsockname()[1]
    with host.forward("127.0.0.1", free) as port:
        _refusal(KbsService(f"127.0.0.1:{port}", record=record))


@pytest.fixture
def captured(peer: KbsPeer) -> Iterator[tuple[int, bytearray]]:
    """A port in front of the KBS, and what a client sends through it."""
    sent = bytearray()
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def relay(client: socket.socket) -> None:
            with socket.create_connection(("127.0.0.1", peer.port)) as server:

                def back() -> None:
                    with contextlib.suppress(OSError):
                        while data := server.recv(4096):
                            client.sendall(data)

                threading.Thread(target=back, daemon=True).start()
                while data := client.recv(4096):
                    sent.extend(data)
                    server.sendall(data)

        _serve_once(listener, relay)
        yield listener.getsockname()[1], sent


def test_what_a_guest_asked_is_read_from_its_bytes(captured: tuple[int, bytearray]) -> None:
    port, sent = captured
    calls = [
        messages.OnlineSecretRequest(
            ClientId=f"client {number}",
            SecretRequests=[
                messages.RequestDetails(
                    Guid=f"guid {number}", Format="binary", SecretType="key", Id="k" * number
                )
            ],
        )
        for number in (1, 40_000)  # the second takes several frames
    ]
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        ask = channel.unary_unary(
            "/keybroker.KeyBrokerService/GetOnlineSecret",
            request_serializer=messages.OnlineSecretRequest.SerializeToString,
            response_deserializer=messages.OnlineSecretResponse.FromString,
        )
        for call in calls:
            ask(call, timeout=10)
    expected = [
        OnlineRequest("client 1", "guid 1", "binary", "key", "k"),
        OnlineRequest("client 40000", "guid 40000", "binary", "key", "k" * 40_000),
    ]
    assert online_requests(bytes(sent)) == expected
    for end in range(0, len(sent), 997):  # whatever has come so far
        assert online_requests(bytes(sent[:end])) in ([], expected[:1], expected)


def _frame(kind: int, flags: int, stream: int, content: bytes) -> bytes:
    return len(content).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + content


def _message(request: messages.OnlineSecretRequest, *, compressed: bool = False) -> bytes:
    data = request.SerializeToString()
    return bytes([compressed]) + len(data).to_bytes(4, "big") + data


def test_streams_and_padding_are_kept_apart() -> None:
    one, two = (
        _message(
            messages.OnlineSecretRequest(
                ClientId=name, SecretRequests=[messages.RequestDetails(Guid=name, Id="k")]
            )
        )
        for name in ("one", "two")
    )
    sent = PREFACE + b"".join(
        [
            _frame(4, 0, 0, b""),
            _frame(0, 0, 1, one[:7]),
            _frame(0, 0x8, 3, b"\x03" + two + b"\0\0\0"),
            _frame(0, 1, 1, one[7:]),
        ]
    )
    assert [each.guid for each in online_requests(sent)] == ["two", "one"]


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", "no HTTP/2"),
        (PREFACE + _frame(0, 0, 1, _message(messages.OnlineSecretRequest(), compressed=True)), "compressed"),
        (PREFACE + _frame(0, 0, 1, b"\0\0\0\0\2\xff\xff"), "no OnlineSecretRequest"),
    ],
)
def test_other_bytes_are_refused(sent: bytes, said: str) -> None:
    with pytest.raises(LabError, match=said):
        online_requests(sent)


def test_calls_are_told_for_a_transcript_without_what_was_handed_out(
    service: KbsService, peer: KbsPeer, record: MemoryRecord
) -> None:
    service.get_online_secret("client", "guid", "key_id1")
    peer.refusal = (grpc.StatusCode.INTERNAL, "fw digest not valid")
    service.get_online_secret("client", "guid", "key_id1")
    granted, refused = record.exchanges
    assert granted.asked["method"] == "GetOnlineSecret"
    assert granted.asked["message"]["SecretRequests"][0]["Id"] == "key_id1"
    assert granted.answered["status"] == "OK"
    assert granted.answered["message"]["Payload"].endswith(" characters")
    assert (refused.answered["status"], refused.answered["text"]) == ("INTERNAL", "fw digest not valid")
