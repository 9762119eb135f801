"""How far the KBS is from the host that it must not trust: what a test lab may do, and a tenant's may not.

The host is what SEV defends against: who runs it can read the KBS's database, and change its policies.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.errors import Unreachable
from lab.findings import finding
from lab.kbs.session import Session
from lab.secret import Secret

if TYPE_CHECKING:
    from lab.broker import Broker
    from lab.host import Host
    from lab.labfile import LabFile
    from lab.record import Record

# simple-kbs 0.1.1, docker-compose.yml: published, and in every checkout of it.
PUBLISHED = {"kbsuser": "kbspassword", "root": "unused"}


def tell(lab: LabFile, host: Host, broker: Broker, record: Record) -> None:
    """Tell the reader where the KBS is, and who gets into its database. Raises LabError."""
    name = broker.guest_address.rpartition(":")[0]
    # iproute2, ip-route(8): the kernel routes its own addresses as local.
    address = host.run("getent hosts %s | cut -d ' ' -f 1", name, check=False, reads=True, quiet=True)
    target = address.lines[0] if address.lines else name
    route = host.run("ip -o route get %s", target, check=False, reads=True, quiet=True).stdout
    if route.startswith("local "):
        record.finding(finding("kbs-on-host", f"{broker.guest_address} is an address of the host under test"))
    let_in = [user for user in PUBLISHED if _lets_in(lab, host, broker.database_address, user)]
    if let_in:
        where = f"the database at {broker.database_address}"
        record.finding(finding("default-passwords", f"{where} lets {' and '.join(let_in)} in with it"))


def _lets_in(lab: LabFile, host: Host, address: str, user: str) -> bool:
    """Whether the database takes a user's published password; root's is tried in its own container only."""
    settings = lab.kbs.database
    if user != settings.user and settings.host:
        return False
    login = settings.model_copy(update={"user": user})
    session = Session(login, address, Secret(PUBLISHED[user]), lab.timeouts.connect, host.open_channel)
    try:
        session.execute("SELECT 1", ())
    except Unreachable:
        return False
    finally:
        session.close()
    return True
