"""Layers are encrypted as ocicrypt does it: a wrong key shows in decryption and nowhere else."""

from __future__ import annotations

import base64
import json
import os

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from simlab.images import ocicrypt
from simlab.images.ocicrypt import AnnotationPacket, DecryptionError, TamperedError

KEY = os.urandom(32)
PLAIN = b"a layer's bytes" * 100


def packet_of(annotations: dict[str, str]) -> AnnotationPacket:
    return AnnotationPacket.from_json(base64.b64decode(annotations[ocicrypt.PROVIDER_ANNOTATION]))


def test_layer_comes_back_with_its_key() -> None:
    ciphertext, annotations = ocicrypt.encrypt_layer(PLAIN, "key_id1", KEY)
    packet = packet_of(annotations)
    options = ocicrypt.ctr(KEY, packet.iv, packet.wrapped_data)
    assert PLAIN not in ciphertext
    assert ocicrypt.decrypt_layer(ciphertext, annotations, options) == PLAIN


def test_formats_are_ocicrypts() -> None:
    """Names and encodings are those of ocicrypt-rs v0.3.0 and attestation-agent v0.3.0."""
    ciphertext, annotations = ocicrypt.encrypt_layer(PLAIN, "key_id1", KEY)
    assert set(annotations) == {
        "org.opencontainers.image.enc.keys.provider.attestation-agent",
        "org.opencontainers.image.enc.pubopts",
    }
    packet = json.loads(
        base64.b64decode(annotations["org.opencontainers.image.enc.keys.provider.attestation-agent"])
    )
    assert (packet["kid"], packet["wrap_type"]) == ("key_id1", "aes_256_ctr")
    unwrap = Cipher(algorithms.AES(KEY), modes.CTR(base64.b64decode(packet["iv"]))).decryptor()
    private = json.loads(unwrap.update(base64.b64decode(packet["wrapped_data"])))
    assert set(private) == {"symkey", "cipheroptions", "digest"}
    public = json.loads(base64.b64decode(annotations["org.opencontainers.image.enc.pubopts"]))
    assert (public["cipher"], len(base64.b64decode(public["hmac"]))) == ("AES_256_CTR_HMAC_SHA256", 32)
    nonce = base64.b64decode(private["cipheroptions"]["nonce"])
    open_layer = Cipher(algorithms.AES(base64.b64decode(private["symkey"])), modes.CTR(nonce)).decryptor()
    assert open_layer.update(ciphertext) == PLAIN


def test_wrong_key_unwraps_without_complaint_and_fails_in_decryption() -> None:
    ciphertext, annotations = ocicrypt.encrypt_layer(PLAIN, "key_id1", KEY)
    packet = packet_of(annotations)
    for _ in range(50):
        options = ocicrypt.ctr(os.urandom(32), packet.iv, packet.wrapped_data)
        with pytest.raises(DecryptionError):
            ocicrypt.decrypt_layer(ciphertext, annotations, options)


def test_altered_layer_fails_in_decryption() -> None:
    ciphertext, annotations = ocicrypt.encrypt_layer(PLAIN, "key_id1", KEY)
    packet = packet_of(annotations)
    options = ocicrypt.ctr(KEY, packet.iv, packet.wrapped_data)
    with pytest.raises(TamperedError, match="failed decrypt byte stream"):
        ocicrypt.decrypt_layer(ciphertext[:-1] + b"\0", annotations, options)


@pytest.mark.parametrize(
    "data", [b"", b"[]", b"{}", b'{"kid": 1}', b'{"kid":"a","wrapped_data":"%","iv":"","wrap_type":""}']
)
def test_what_is_no_annotation_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"parse annotation|Expecting value"):
        AnnotationPacket.from_json(data)


def test_key_of_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        ocicrypt.ctr(b"short", bytes(16), b"")
