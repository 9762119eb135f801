"""A key broker for these tests: `python -m tests.simlab.guest.stub_kbs ADDRESS FILE`, FILE holding JSON:

{"connections": {client id: symmetric key}, "keys": {key id: key}, "wrong_guid": false}, all keys base64. Each
request that it gets becomes a line of JSON in the file's neighbour with the ending `.log`.
"""

from __future__ import annotations

import base64
import json
import os
import struct
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from simlab.kbs import keybroker_pb2


def serve(address: str, state: Path) -> None:
    def answer(request: Any, context: grpc.ServicerContext) -> Any:
        known = json.loads(state.read_text())
        (details,) = request.SecretRequests
        with state.with_suffix(".log").open("a") as log:
            log.write(json.dumps([request.ClientId, details.Guid, details.SecretType, details.Id]) + "\n")
        if details.SecretType != "key" or details.Id not in known["keys"]:
            context.abort(grpc.StatusCode.INTERNAL, "Cannot fulfill secret request: no rows returned")
        guid = b"another" if known.get("wrong_guid") else details.Guid.encode()
        secret = base64.b64decode(known["keys"][details.Id])
        payload = struct.pack("<QQ", 1, len(guid)) + guid + struct.pack("<Q", len(secret)) + secret
        nonce = os.urandom(12)
        sealed = AESGCM(base64.b64decode(known["connections"][request.ClientId])).encrypt(
            nonce, payload, None
        )
        return keybroker_pb2.OnlineSecretResponse(
            Payload=base64.b64encode(sealed).decode(), IV=base64.b64encode(nonce).decode()
        )

    server = grpc.server(ThreadPoolExecutor(2))
    handler = grpc.unary_unary_rpc_method_handler(
        answer,
        request_deserializer=keybroker_pb2.OnlineSecretRequest.FromString,
        response_serializer=keybroker_pb2.OnlineSecretResponse.SerializeToString,
    )
    generic = grpc.method_handlers_generic_handler("keybroker.KeyBrokerService", {"GetOnlineSecret": handler})
    server.add_generic_rpc_handlers((generic,))
    assert server.add_insecure_port(address)
    server.start()
    server.wait_for_termination()


if __name__ == "__main__":
    serve(sys.argv[1], Path(sys.argv[2]))
