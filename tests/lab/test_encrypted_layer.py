"""What the suite encrypts is what ocicrypt and the attestation agent's key provider make."""

from __future__ import annotations

import base64
import gzip
import hashlib
import hmac
import io
import json
import re
import tarfile
from types import SimpleNamespace
from typing import Any, cast

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from lab.encrypted_layer import PUBLIC_OPTIONS, encrypt
from lab.image_encryption import what_is_not_encrypted
from lab.layer_key import PACKET, WrappingKey
from lab.own_image import ENCRYPTED, own_key

KEY = bytes(range(32))
CTR = "aes_256_ctr"
GZIP = "application/vnd.oci.image.layer.v1.tar+gzip"


def layer() -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        tar.addfile(tarfile.TarInfo("hello"))
    return gzip.compress(stream.getvalue(), mtime=0)


def counter_mode(key: bytes, iv: str, data: bytes) -> bytes:
    return Cipher(algorithms.AES(key), modes.CTR(base64.b64decode(iv))).decryptor().update(data)


def parsed(annotation: str) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(base64.b64decode(annotation))
    return value


def test_the_key_unwraps_what_decrypts_and_authenticates_the_layer() -> None:
    plain = layer()
    encrypted = encrypt(plain, "own-key", KEY, CTR)
    packet, public = parsed(encrypted.annotations[PACKET]), parsed(encrypted.annotations[PUBLIC_OPTIONS])
    assert (packet["kid"], packet["wrap_type"]) == ("own-key", "aes_256_ctr")
    private = json.loads(counter_mode(KEY, packet["iv"], base64.b64decode(packet["wrapped_data"])))
    layer_key = base64.b64decode(private["symkey"])
    assert base64.b64decode(public["hmac"]) == hmac.digest(layer_key, encrypted.data, "sha256")
    assert counter_mode(layer_key, private["cipheroptions"]["nonce"], encrypted.data) == plain
    assert private["digest"] == f"sha256:{hashlib.sha256(plain).hexdigest()}"
    assert encrypt(plain, "own-key", KEY, CTR).data != encrypted.data, "each layer has a key of its own"


def test_the_suite_takes_it_for_encrypted_with_that_key() -> None:
    described = {
        "mediaType": ENCRYPTED[GZIP],
        "annotations": encrypt(b"layer", "own-key", KEY, CTR).annotations,
    }
    assert what_is_not_encrypted({"layers": [described]}, "own-key") is None


@pytest.mark.parametrize(
    ("key_id", "kid", "own", "asked"),
    [
        ("key_id1", "key_id1", r"conformance-\w+", ""),
        ("default/key/demo", "kbs:///default/key/demo", r"default/key/conformance-\w+", "kbs:///"),
    ],
)
def test_a_new_key_is_called_as_the_stock_one_is(key_id: str, kid: str, own: str, asked: str) -> None:
    made, made_kid = own_key(cast("Any", SimpleNamespace(key_id=key_id, kid=kid)))
    assert re.fullmatch(own, made)
    assert made_kid == asked + made


@pytest.mark.parametrize(
    ("data", "wrap_type", "opens"),
    [(KEY, CTR, True), (KEY[::-1], CTR, False), (KEY[::-1], "A256GCM", True)],
    ids=["the key", "another", "another, of a wrapping that the suite does not know"],
)
def test_an_image_whose_key_has_only_the_name_of_the_wanted_one_is_told(
    data: bytes, wrap_type: str, *, opens: bool
) -> None:
    annotations = encrypt(layer(), "kid", KEY, CTR).annotations
    manifest = {"layers": [{"mediaType": f"{GZIP}+encrypted", "annotations": annotations}]}
    told = what_is_not_encrypted(manifest, "kid", WrappingKey(data, wrap_type))
    assert told is None if opens else "that key does not open it" in str(told)
