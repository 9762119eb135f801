"""The shim's calls to the key broker, and their failures as Go's grpc words them.

Sources: kata CC-0.3.0 `src/runtime/virtcontainers/qemu_amd64.go` (calls, 10 s limit); grpc-go 1.47
`clientconn.go`, `picker_wrapper.go`, `status/status.go` (texts).
"""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import os
from typing import TYPE_CHECKING, Any, Final

import grpc

from simlab.kbs import keybroker_pb2, keybroker_pb2_grpc
from simlab.node.rpc import RpcError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from simlab.node.host import Host

SECONDS: Final = 10.0

_GO_CODES: Final = {
    code: "".join(part.capitalize() for part in code.name.split("_")) for code in grpc.StatusCode
} | {grpc.StatusCode.CANCELLED: "Canceled"}


class KeyBroker:
    """The key broker whose address a TOML has, reached from the host."""

    def __init__(self, host: Host, proxy: str) -> None:
        self._host = host
        self._proxy = proxy

    async def get_bundle(self, certificate_chain: str, policy: int) -> keybroker_pb2.BundleResponse:
        """GetBundle. Raises RpcError."""
        request = keybroker_pb2.BundleRequest(CertificateChain=certificate_chain, Policy=policy)

        async def call(stub: Any) -> Any:
            return await stub.GetBundle(request)

        answer: keybroker_pb2.BundleResponse = await self._within_limit(call)
        return answer

    async def get_secret(self, request: keybroker_pb2.SecretRequest) -> keybroker_pb2.SecretResponse:
        """GetSecret. Raises RpcError."""

        async def call(stub: Any) -> Any:
            return await stub.GetSecret(request)

        answer: keybroker_pb2.SecretResponse = await self._within_limit(call)
        return answer

    async def _within_limit(self, call: Callable[[Any], Awaitable[Any]]) -> Any:
        try:
            async with asyncio.timeout(SECONDS):
                target = await self._dial()
                async with grpc.aio.insecure_channel(target) as channel:
                    return await call(keybroker_pb2_grpc.KeyBrokerServiceStub(channel))  # type: ignore[no-untyped-call]
        except TimeoutError:
            raise RpcError("DeadlineExceeded", "context deadline exceeded") from None
        except grpc.aio.AioRpcError as error:
            raise _as_go(error) from None

    async def _dial(self) -> str:
        """Address of the broker, after a connection to it succeeded; raises RpcError as grpc-go does."""
        name, _, port = self._proxy.rpartition(":")
        if not name or not port.isdecimal():
            reason = f"dial tcp: address {self._proxy}: missing port in address"
            raise _transport_error(reason)
        address = self._address(name)
        if not address:
            raise _transport_error(f"dial tcp: lookup {name}: no such host")
        try:
            _, writer = await asyncio.open_connection(address, int(port))
        except OSError as error:
            raise _transport_error(f"dial tcp {address}:{port}: connect: {_reason(error)}") from None
        writer.close()
        return f"{address}:{port}"

    def _address(self, name: str) -> str:
        """IPv4 address of a name by the host's /etc/hosts; empty for a name that is not there."""
        try:
            return str(ipaddress.ip_address(name))
        except ValueError:
            pass
        for line in self._host.read_text("/etc/hosts").splitlines():
            address, *names = line.partition("#")[0].split() or [""]
            if name in names and ":" not in address:
                return address
        return "127.0.0.1" if name == "localhost" else ""


def _transport_error(reason: str) -> RpcError:
    return RpcError("Unavailable", f'connection error: desc = "transport: Error while dialing {reason}"')


def _reason(error: OSError) -> str:
    """An error number's text as Go spells it: all lower case."""
    if error.errno is None:
        # asyncio joins the errors of several addresses; here there is one.
        return "connection refused"
    return "no route to host" if error.errno == errno.EHOSTUNREACH else os.strerror(error.errno).lower()


def _as_go(error: grpc.aio.AioRpcError) -> RpcError:
    code = error.code()
    if code is grpc.StatusCode.UNAVAILABLE:
        # simple-kbs never answers with this status itself: the connection broke after it was made.
        return RpcError("Unavailable", "error reading from server: EOF")
    return RpcError(_GO_CODES.get(code, "Unknown"), error.details() or "")
