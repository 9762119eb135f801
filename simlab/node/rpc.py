"""gRPC errors, worded as Go's grpc package words them (`google.golang.org/grpc/status`, `Error`)."""

from __future__ import annotations


class RpcError(Exception):
    """A failed call: gRPC's code as Go spells it (`Unknown`, `NotFound`, …), and the text after it."""

    def __init__(self, code: str, description: str) -> None:
        super().__init__(f"rpc error: code = {code} desc = {description}")
        self.code = code
        self.description = description
