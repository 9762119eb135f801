import base64
import json
import socket
import uuid

import pytest

from simlab.guest.kbc import KbcError
from simlab.guest.online_sev_kbc import GUID, OnlineSevKbc


@pytest.mark.parametrize("name", ["127.0.0.1", "127.1.2.3", "localhost", "[::1]"])
def test_a_guest_reaches_nothing_on_the_host_s_loopback(name: str) -> None:
    connection = {"client_id": str(uuid.uuid4()), "key": base64.b64encode(bytes(32)).decode()}
    with socket.create_server(("127.0.0.1", 0)) as server:
        kbc = OnlineSevKbc(f"{name}:{server.getsockname()[1]}", {GUID: json.dumps(connection).encode()})
        with pytest.raises(KbcError, match="Connection refused"):
            kbc.key("key_id1")
        server.settimeout(0.1)
        with pytest.raises(TimeoutError):
            server.accept()
