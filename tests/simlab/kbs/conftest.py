"""The fixtures of the KBS' tests; what they hand out is in `world`."""

from __future__ import annotations

import os
import shutil
import threading
from typing import TYPE_CHECKING

import pytest

from simlab.psp import platform
from simlab.psp.client import Sev
from simlab.psp.firmware import SevFirmware
from simlab.psp.service import PspServer
from tests.simlab.kbs.world import STOCK_POLICY, DatabaseServer, Host, Kbs, Launcher

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def database_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DatabaseServer]:
    if shutil.which("mariadbd", path=os.environ["PATH"] + ":/usr/sbin") is None:
        pytest.skip("mariadbd is not installed (Debian package mariadb-server-core)")
    server = DatabaseServer(tmp_path_factory.mktemp("mariadb") / "data")
    server.start()
    yield server
    server.stop()


@pytest.fixture
def rows(database_server: DatabaseServer) -> DatabaseServer:
    """The database with simple-kbs' stock rows and no others."""
    database_server.put_stock_back()
    return database_server


@pytest.fixture(scope="session")
def kbs_server(database_server: DatabaseServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kbs]:
    server = Kbs(tmp_path_factory.mktemp("kbs"), database_server.port)
    yield server
    server.stop()


@pytest.fixture
def kbs(kbs_server: Kbs, rows: DatabaseServer) -> Iterator[Kbs]:
    """The KBS on stock rows and with the stock policy of the tenant's."""
    del rows
    yield kbs_server
    (kbs_server.folder / "default_policy.json").write_text(STOCK_POLICY)


@pytest.fixture(scope="session")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    folder = tmp_path_factory.mktemp("platform")
    chip = platform.create(folder)
    with PspServer(folder / "sev.sock", SevFirmware(chip)) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield Host(chip, folder / "sev.sock")
        server.shutdown()
        thread.join()


@pytest.fixture
def launcher(kbs: Kbs, host: Host) -> Iterator[Launcher]:
    with Sev(host.psp_socket) as sev:
        yield Launcher(kbs, host, sev)
