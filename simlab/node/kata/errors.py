"""Errors of kata's shim."""

from __future__ import annotations

from simlab.node.rpc import RpcError


class ShimError(Exception):
    """An error as the shim makes it with Go's `fmt.Errorf`: a text without a gRPC status."""


def as_status(error: ShimError | RpcError) -> RpcError:
    """The error as it leaves the shim.

    A text with "not found" or "not exist" in it becomes the status NotFound, whatever it is about (kata
    CC-0.3.0 `src/runtime/pkg/containerd-shim-v2/errors.go`, `toGRPC`, `isNotFound`); any other text Unknown.
    """
    if isinstance(error, RpcError):
        return error
    text = str(error)
    code = "NotFound" if "not found" in text or "not exist" in text else "Unknown"
    return RpcError(code, text)
