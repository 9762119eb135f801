"""simple-kbs as the suite meets it: its addresses as the guide finds them, its own answers, its log."""

from __future__ import annotations

import re
import uuid
from functools import cached_property
from typing import TYPE_CHECKING

from lab.errors import LabError, MalformedRow, NotProven, Unreachable
from lab.fact import Fact
from lab.kbs.database import KbsDatabase
from lab.kbs.outage import lost_its_database
from lab.kbs.service import Answer, KbsService, OnlineAnswer
from lab.parsers.docker import parse_network
from lab.secret import Secret

if TYPE_CHECKING:
    from contextlib import ExitStack

    from lab.host import Host
    from lab.kbs.database import Connection
    from lab.labfile import LabFile
    from lab.profile import Profile
    from lab.record import Record

# Layers are wrapped with AES-256 (attestation-agent v0.3.0, src/kbc_modules/online_sev_kbc/mod.rs).
KEY_SIZE = 32

VALIDATED = "Policy validated succesfully. Connection:"  # sic, simple-kbs 0.1.1, src/grpc/mod.rs

# The log is read back to a pod's start, and this many seconds further for what came before and after it.
LOG_SLACK = 300
LOG_LIMIT = 64 << 20
# How many digests of other launches a message names.
FEW = 4


class Broker:
    """The KBS, its database and its containers. `open_until` closes the ways that were forwarded."""

    def __init__(
        self,
        *,
        lab: LabFile,
        profile: Profile,
        host: Host,
        password: Secret,
        open_until: ExitStack,
        record: Record,
    ) -> None:
        self._lab = lab
        self._profile = profile
        self._host = host
        self._password = password
        self._open_until = open_until
        self._record = record

    @cached_property
    def guest_address(self) -> str:
        """HOST:PORT that guests are told, found as the guide does (guide: 基于online KBC, kbs_ip)."""
        if self._lab.kbs.host:
            return f"{self._lab.kbs.host}:{self._lab.kbs.port}"
        route = self._host.run("ip -o route get to 8.8.8.8", check=False, reads=True).stdout
        source = re.search(r"\bsrc ([0-9.]+)", route)
        if not source:
            raise NotProven(f"the host has no route to 8.8.8.8 to take its address from: {route.strip()!r}")
        return f"{source[1]}:{self._lab.kbs.port}"

    @cached_property
    def database_address(self) -> str:
        """The database's address: the lab file's, or that of the running container (clause A-2.4)."""
        if self._lab.kbs.database.host:
            return self._lab.kbs.database.host
        return self.container_address(self._profile.kbs.database_container)

    def container_address(self, pattern: str) -> str:
        """The address of the one container whose name matches, in simple-kbs' network (guide: 附录)."""
        network = self._profile.kbs.network
        inspected = self._host.run("docker network inspect %s", network, check=False, reads=True)
        if inspected.exit_code != 0:
            said = inspected.stderr.strip()
            if network not in said:
                raise NotProven(f"docker does not answer: {said}", owner="C-3.1")
            raise NotProven(f"docker knows no network {network}: {said}", owner="K-1.3")
        found = [c for c in parse_network(inspected.stdout) if re.search(pattern, c.name)]
        if len(found) != 1:
            names = ", ".join(container.name for container in found) or "none"
            raise NotProven(
                f"one container of the network {network} should match {pattern!r}, found {names}",
                owner="K-1.3",
            )
        return found[0].address

    @cached_property
    def database(self) -> KbsDatabase:
        """The database, over a forwarded channel."""
        return self.database_at(self.database_address)

    def database_at(self, address: str) -> KbsDatabase:
        """The database at an address as the host sees it."""
        database = KbsDatabase(self._lab, self._host, address, self._password, record=self._record)
        self._open_until.callback(database.close)
        return database

    @cached_property
    def service(self) -> KbsService:
        """The KBS's gRPC service, over a forwarded channel."""
        address = self.guest_address
        if self._lab.kbs.reach == "ssh":
            name, _, port = address.rpartition(":")
            local = self._open_until.enter_context(self._host.forward(name, int(port)))
            address = f"127.0.0.1:{local}"
        service = KbsService(address, record=self._record, name=self.guest_address)
        self._open_until.callback(service.close)
        return service

    def forget(self) -> None:
        """Look for its addresses and connect anew from now on: after a reboot containers may have others."""
        for known in ("guest_address", "database_address", "database", "service"):
            self.__dict__.pop(known, None)

    def require_answer(self) -> None:
        """Raise NotProven where the KBS or its database does not answer: that is clause K-1.3's business."""
        try:
            answer = self.service.get_online_secret(
                str(uuid.uuid4()), str(uuid.uuid4()), self._profile.kbs.key_id
            )
        except Unreachable as error:
            raise NotProven(f"simple-kbs does not answer: {error.cause}", owner="K-1.3") from None
        if answer.status in {"UNAVAILABLE", "DEADLINE_EXCEEDED"}:
            raise NotProven(f"simple-kbs does not answer: {answer.status} {answer.text}", owner="K-1.3")
        if lost_its_database(answer.text):
            raise NotProven(f"simple-kbs does not reach its database: {answer.text}", owner="K-1.3")

    def wrong_stock(self) -> list[str]:
        """What is wrong with the guide's key and keyset in the database; empty where nothing is."""
        key, keyset_id = self._profile.kbs.key_id, self._profile.kbs.keyset_id
        wrong = []
        if not self.database.secret_exists(key):
            wrong.append(f"the KBS's database has no secret {key}")
        elif (size := self.database.secret_size(key)) != KEY_SIZE:
            what = "no base64" if size is None else f"{size} bytes long"
            wrong.append(f"the secret {key} in the KBS's database is {what}, not a key of {KEY_SIZE} bytes")
        elif (published := self._profile.kbs.published_key) and not self.database.secret_is(
            key, Secret(published)
        ):
            wrong.append(f"the secret {key} in the KBS's database has another value than the published key")
        try:
            keyset = self.database.keyset(keyset_id)
        except MalformedRow as error:
            return [*wrong, str(error)]
        if keyset is None:
            wrong.append(f"the KBS's database has no keyset {keyset_id}")
        elif key not in keyset.keys:
            wrong.append(f"the keyset {keyset_id} lists {', '.join(keyset.keys) or 'nothing'}, and not {key}")
        return wrong

    def launches(self, digest: str) -> list[Connection]:
        """The online launches with this digest that the KBS recorded, oldest first."""
        return self.database.connections(fw_digest=digest)

    def not_recorded(self, digest: str) -> str:
        """Words for that there is no launch with this digest: what the KBS recorded of late instead."""
        seconds = int(self._lab.timeouts.pod_running)
        recent = self.database.recent_connections(seconds)
        others = ", ".join(list(dict.fromkeys(row.fw_digest for row in recent))[-FEW:])
        return (
            f"the KBS recorded no launch with the digest {digest}, to which the VM measures; of the last "
            f"{seconds} s it has {f'those with {others}' if others else 'none at all'}"
        )

    def key_for(self, digest: str, key_id: str | None = None) -> OnlineAnswer | None:
        """The KBS's own answer when the newest recorded launch with this digest asks for a key.

        The guide's key by default. None where no launch with the digest was recorded.
        """
        launches = self.launches(digest)
        if not launches:
            return None
        key_id = key_id or self._profile.kbs.key_id
        answer = self.service.get_online_secret(launches[-1].id, str(uuid.uuid4()), key_id)
        self._record.evidence(
            f"the KBS's answer on {key_id} for launch {launches[-1].id}",
            f"{answer.status} {answer.text}".strip(),
            fact=Fact.KBS_ANSWER,
        )
        return answer

    def servers(self) -> list[str]:
        """Names of the running containers of simple-kbs' server."""
        return self._running(self._profile.kbs.server_container)

    def databases(self) -> list[str]:
        """Names of the running containers of simple-kbs' database."""
        return self._running(self._profile.kbs.database_container)

    def validations(self, digest: str) -> list[str]:
        """Lines of the KBS's log that tell of a request whose launch had this digest and met its policies.

        Of a launch of the last minutes: with `RUST_LOG=debug`, as its compose file sets, the log grows fast.
        """
        servers = self.servers()
        if len(servers) != 1:
            found = ", ".join(servers) or "none"
            raise NotProven(
                f"one running container should be simple-kbs' server, found {found}", owner="K-1.3"
            )
        since = f"{int(self._lab.timeouts.pod_running) + LOG_SLACK}s"
        log = self._host.run(
            "docker logs --since %s %s 2>&1",
            since,
            servers[0],
            output_limit=LOG_LIMIT,
            reads=True,
            quiet=True,
        )
        if log.truncated:
            raise LabError(f"the log of {servers[0]} has more than {LOG_LIMIT} bytes since {since} ago")
        lines = [line for line in log.lines if VALIDATED in line and digest in line]
        told = "\n".join(lines) or "nothing"
        self._record.evidence(f"the KBS's log about {digest}", told, fact=Fact.KBS_LOG)
        return lines

    def _running(self, pattern: str) -> list[str]:
        listed = self._host.run("docker ps --format '{{.Names}}'", check=False, reads=True)
        if not listed.succeeded:
            raise NotProven(f"docker does not answer: {listed.stderr.strip()}", owner="C-3.1")
        return [name for name in listed.lines if re.search(pattern, name)]


def refused_for_good(answer: Answer) -> bool:
    """Whether an answer is the KBS's considered no, and not a failure to answer."""
    return answer.status == "INTERNAL" and not lost_its_database(answer.text)
