"""The endpoint that kata's shim is sent to: it gives the session away once more each time, and no secret."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import pytest

from lab.certificates import Roots, SoftwarePlatform, verify_chain
from lab.challenge.documents import PrivatePart, make
from lab.challenge.endpoint import FOREIGN, KEPT, OTHER_POLICY, Endpoint
from lab.kbs.service import KbsService, SecretWish
from lab.record import MemoryRecord

if TYPE_CHECKING:
    from lab.kbs import keybroker_pb2 as messages

CHAIN = SoftwarePlatform().chain()


@pytest.fixture(scope="module")
def private() -> PrivatePart:
    ark = verify_chain(CHAIN, Roots({})).identity(CHAIN).ark
    return make(CHAIN, Roots({ark: "test"}), 3)


def ask(service: KbsService, launch: str) -> str:
    answer = service.get_secret(
        measurement=b"m" * 48, launch_id=launch, policy=3, api_major=1, api_minor=42, build_id=42,
        fw_digest="d", wishes=[SecretWish("g", "connection", "KEYSET-1", "JSON")],
    )  # fmt: skip
    return f"{answer.status} {answer.text}"


def test_it_gives_the_session_and_keeps_the_measurement(private: PrivatePart) -> None:
    shown: list[messages.SecretRequest] = []
    with Endpoint(private.public, shown.append) as endpoint:
        service = KbsService(f"127.0.0.1:{endpoint.port}", record=MemoryRecord())
        first, second = (service.get_bundle(CHAIN, policy=3) for _ in range(2))
        assert first.guest_owner_public_key == private.public.owner
        assert first.launch_blob == private.public.session
        assert first.launch_id.startswith(private.public.id)
        assert first.launch_id != second.launch_id
        said = ask(service, second.launch_id)
    assert said == f"FAILED_PRECONDITION {KEPT} {private.public.id}"
    assert [each.LaunchId for each in shown] == [second.launch_id]
    assert base64.b64decode(shown[0].LaunchMeasurement) == b"m" * 48


def test_another_platform_or_policy_gets_nothing(private: PrivatePart) -> None:
    with Endpoint(private.public, lambda _request: None) as endpoint:
        service = KbsService(f"127.0.0.1:{endpoint.port}", record=MemoryRecord())
        for chain, policy, told in (
            (SoftwarePlatform().chain(), 3, FOREIGN),
            (b"", 3, FOREIGN),
            (CHAIN, 0, OTHER_POLICY),
        ):
            answer = service.get_bundle(chain, policy=policy)
            assert (answer.status, answer.text) == ("FAILED_PRECONDITION", told)
            assert answer.launch_blob == ""
