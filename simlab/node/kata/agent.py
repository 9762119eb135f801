"""A client for kata's agent in a guest: one line of JSON a message, many calls at once."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
from typing import TYPE_CHECKING, Any, Final

from simlab.node import sockets
from simlab.node.rpc import RpcError

if TYPE_CHECKING:
    from pathlib import Path

REQUEST_SECONDS: Final = 60.0
"""kata CC-0.3.0 `virtcontainers/kata_agent.go`, `defaultRequestTimeout`: it holds for PullImage too."""


class Agent:
    """The connection to one guest's agent."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._listener = asyncio.create_task(self._listen())

    @classmethod
    async def connect(cls, path: Path) -> Agent:
        """Connect to the agent's socket. Raises OSError while nobody listens there."""
        return cls(*await sockets.connect(path))

    async def call(self, method: str, *, limit: float | None = REQUEST_SECONDS, **params: Any) -> Any:
        """Call a method of the agent; `limit` in seconds, None for as long as it takes.

        Raises RpcError: the agent's refusal, DeadlineExceeded after the limit, Unavailable without a guest.
        """
        number = next(self._numbers)
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        if self._listener.done():
            raise RpcError("Unavailable", "ttrpc: closed")
        self._waiting[number] = answer
        try:
            request = {"id": number, "method": method, "params": params}
            self._writer.write(json.dumps(request).encode() + b"\n")
            await self._writer.drain()
            async with asyncio.timeout(limit):
                return await answer
        except TimeoutError:
            raise RpcError("DeadlineExceeded", "context deadline exceeded") from None
        except OSError:
            raise RpcError("Unavailable", "ttrpc: closed") from None
        finally:
            self._waiting.pop(number, None)

    async def close(self) -> None:
        """Close the connection; calls under way fail."""
        self._listener.cancel()
        self._writer.close()
        with contextlib.suppress(OSError, asyncio.CancelledError):
            await self._writer.wait_closed()

    async def _listen(self) -> None:
        try:
            while line := await self._reader.readline():
                message = json.loads(line)
                answer = self._waiting.get(message["id"])
                if answer is None or answer.done():
                    continue
                if error := message.get("error"):
                    answer.set_exception(RpcError(_code(error["code"]), str(error["message"])))
                else:
                    answer.set_result(message.get("result"))
        except (OSError, ValueError):
            pass
        finally:
            for answer in self._waiting.values():
                if not answer.done():
                    answer.set_exception(RpcError("Unavailable", "ttrpc: closed"))


def _code(code: str) -> str:
    """Go's spelling of a gRPC code, whichever spelling the agent uses (INTERNAL, Internal)."""
    return code if not code.isupper() else "".join(part.capitalize() for part in code.split("_"))
