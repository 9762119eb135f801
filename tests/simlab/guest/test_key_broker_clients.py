"""How the attestation agents of the two releases name a key, and unwrap with it."""

from __future__ import annotations

import base64
import os

import pytest

from simlab.guest import kbc
from simlab.guest.kbc import KbcError
from simlab.images import ocicrypt
from simlab.release import versions

OLD, NEW = versions.RELEASES["0.3.0"].guest, versions.RELEASES["0.7.0"].guest
KEY = os.urandom(32)


class OneKey:
    """A KBC that has one key, and remembers what it was asked for."""

    def __init__(self, key: bytes = KEY) -> None:
        self._key = key
        self.asked: list[str] = []

    def key(self, kid: str) -> bytes:
        self.asked.append(kid)
        return self._key

    def resource(self, name: str) -> bytes:
        raise KbcError(name)


def annotation(kid: str, wrap_type: str) -> bytes:
    _, annotations = ocicrypt.encrypt_layer(b"layer", kid, KEY, wrap_type)
    return base64.b64decode(annotations[ocicrypt.PROVIDER_ANNOTATION])


@pytest.mark.parametrize("wrap_type", NEW.wrap_types)
def test_the_newer_agent_asks_by_the_path_of_a_uri(wrap_type: str) -> None:
    client = OneKey()
    assert b"symkey" in kbc.unwrap(NEW, client, annotation("kbs:///default/key/a", wrap_type))
    assert client.asked == ["default/key/a"]


def test_the_older_agent_asks_by_the_name_as_it_is() -> None:
    client = OneKey()
    assert b"symkey" in kbc.unwrap(OLD, client, annotation("key_id1", "aes_256_ctr"))
    assert client.asked == ["key_id1"]


@pytest.mark.parametrize(
    ("kid", "said"),
    [
        ("key_id1", "invalid kbs resource uri"),
        ("https://default/key/a/b", "scheme must be kbs"),
        ("kbs:///key/a", "should be kbs://"),
    ],
)
def test_the_newer_agent_knows_no_other_name(kid: str, said: str) -> None:
    client = OneKey()
    with pytest.raises(KbcError, match=said):
        kbc.unwrap(NEW, client, annotation(kid, "A256GCM"))
    assert client.asked == []


def test_a_wrong_key_is_noticed_by_gcm_and_not_by_ctr() -> None:
    wrong = OneKey(os.urandom(32))
    with pytest.raises(KbcError, match="Failed to decrypt"):
        kbc.unwrap(NEW, wrong, annotation("kbs:///default/key/a", "A256GCM"))
    assert b"symkey" not in kbc.unwrap(NEW, wrong, annotation("kbs:///default/key/a", "A256CTR"))


def test_an_agent_knows_its_own_ways_to_wrap_only() -> None:
    with pytest.raises(KbcError, match="unknown wrap type"):
        kbc.unwrap(NEW, OneKey(), annotation("kbs:///default/key/a", "aes_256_ctr"))
    with pytest.raises(KbcError, match="unknown wrap type"):
        kbc.unwrap(OLD, OneKey(), annotation("key_id1", "A256GCM"))
