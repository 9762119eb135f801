"""What a guest sent to the KBS, from the bytes of its connection.

HTTP/2 (RFC 9113) carries gRPC's messages in DATA frames, each with a prefix of its own (gRPC over HTTP2,
"Length-Prefixed-Message"). Headers are compressed with a state and not read: on the address that a guest is
given, there is only one call to make.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from google.protobuf.message import DecodeError

from lab.errors import LabError
from lab.kbs import keybroker_pb2 as messages

if TYPE_CHECKING:
    from collections.abc import Iterator

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

_DATA = 0
_PADDED = 0x8


@dataclass(frozen=True)
class OnlineRequest:
    """A secret that a guest asked for at run time; `client_id` is its launch's, `guid` its own."""

    client_id: str
    guid: str
    secret_format: str
    secret_type: str
    secret_id: str


def online_requests(sent: bytes) -> list[OnlineRequest]:
    """The secrets asked for in what a client sent on one connection, in order; an incomplete end is left out.

    Raises LabError for what is no gRPC, or holds another message.
    """
    if len(sent) < len(PREFACE) and PREFACE.startswith(sent):
        return []
    if not sent.startswith(PREFACE):
        raise LabError(f"a guest sent the KBS something that is no HTTP/2: {sent[:24]!r}")
    requests = []
    for message in _messages(sent[len(PREFACE) :]):
        try:
            request = messages.OnlineSecretRequest.FromString(message)
        except DecodeError:
            raise LabError("a guest sent the KBS a message that is no OnlineSecretRequest") from None
        requests += [
            OnlineRequest(request.ClientId, wish.Guid, wish.Format, wish.SecretType, wish.Id)
            for wish in request.SecretRequests
        ]
    return requests


def _messages(frames: bytes) -> Iterator[bytes]:
    """Complete gRPC messages in the order in which they were completed."""
    streams: dict[int, bytes] = {}
    for stream, data in _data(frames):
        rest = streams.get(stream, b"") + data
        while len(rest) >= 5:
            length = int.from_bytes(rest[1:5], "big")
            if len(rest) < 5 + length:
                break
            if rest[0]:
                raise LabError("a guest sent the KBS a compressed message, which nobody offered")
            yield rest[5 : 5 + length]
            rest = rest[5 + length :]
        streams[stream] = rest


def _data(frames: bytes) -> Iterator[tuple[int, bytes]]:
    """Stream and content of each complete DATA frame (RFC 9113 sections 4.1 and 6.1)."""
    position = 0
    while position + 9 <= len(frames):
        length = int.from_bytes(frames[position : position + 3], "big")
        kind, flags = frames[position + 3], frames[position + 4]
        stream = int.from_bytes(frames[position + 5 : position + 9], "big") & 0x7FFFFFFF
        content = frames[position + 9 : position + 9 + length]
        if len(content) < length:
            return
        if kind == _DATA:
            if flags & _PADDED:
                content = content[1 : len(content) - content[0]] if content else b""
            yield stream, content
        position += 9 + length
