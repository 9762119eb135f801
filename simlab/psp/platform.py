"""A platform's files: what is burnt in, what its firmware remembers, and what its vendor publishes.

ark.cert, ask.cert, ask_ark.cert   the vendor's certificates (the last as AMD publishes them: ASK, then ARK)
cek.cert, chip_id                  the chip's endorsement key, signed by the ASK, and the chip's name
firmware.json                      the firmware's version, and how many ASIDs the processor has
fuses/cek.key                      the chip's secret
nv/{oca,pek,pdh}.{cert,key}        the firmware's persistent memory
"""

from __future__ import annotations

import io
import json
import os
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from simlab.psp import vendor
from simlab.sev.certificate import Certificate
from simlab.sev.chain import PlatformChain
from simlab.sev.keys import Algorithm, SigningKey, Usage

if TYPE_CHECKING:
    from pathlib import Path

_PERSISTENT: Final = (Usage.OCA, Usage.PEK, Usage.PDH)


@dataclass(frozen=True)
class Firmware:
    """The firmware's version and the processor's limits.

    ASIDs from 1 to `min_sev_asid` - 1 are for SEV-ES guests, the others for SEV guests (CPUID 8000_001F).
    """

    api_major: int = 1
    api_minor: int = 42  # as the guide's machine (guide: 使能SEV和SME)
    build: int = 42
    asids: int = 509  # EPYC 7003
    min_sev_asid: int = 255  # leaves the 255 ASIDs that the guide's machine counts for SEV guests

    @property
    def sev_asids(self) -> int:
        """How many SEV guests there can be (Linux 5.10, arch/x86/kvm/svm/sev.c, sev_hardware_setup)."""
        return self.asids - self.min_sev_asid + 1

    @property
    def seves_asids(self) -> int:
        """How many SEV-ES guests there can be."""
        return self.min_sev_asid - 1

    @property
    def api(self) -> tuple[int, int]:
        """API major and minor."""
        return self.api_major, self.api_minor


@dataclass(repr=False)
class Platform:
    """A platform as its firmware sees it."""

    folder: Path
    firmware: Firmware
    chip_id: str
    cek: Certificate
    """Unsigned, as the firmware exports it."""
    cek_key: ec.EllipticCurvePrivateKey
    certificates: dict[Usage, Certificate]
    keys: dict[Usage, ec.EllipticCurvePrivateKey]

    @property
    def chain(self) -> PlatformChain:
        """What PDH_CERT_EXPORT returns."""
        return PlatformChain(
            pdh=self.certificates[Usage.PDH],
            pek=self.certificates[Usage.PEK],
            oca=self.certificates[Usage.OCA],
            cek=self.cek,
        )

    def make_oca(self) -> None:
        """Make a new owner (self-owned), and with it a new PEK and PDH."""
        key = self._new_key(Usage.OCA)
        self.certificates[Usage.OCA] = self._certificate(Usage.OCA).signed_by(_signer(Usage.OCA, key))
        self.make_pek()

    def make_pek(self) -> None:
        """Make a new PEK, signed by OCA and CEK, and with it a new PDH."""
        self._new_key(Usage.PEK)
        pek = self._certificate(Usage.PEK).signed_by(_signer(Usage.OCA, self.keys[Usage.OCA]))
        self.certificates[Usage.PEK] = pek.signed_by(_signer(Usage.CEK, self.cek_key))
        self.make_pdh()

    def make_pdh(self) -> None:
        """Make a new PDH, signed by the PEK, and remember everything."""
        self._new_key(Usage.PDH)
        pdh = self._certificate(Usage.PDH).signed_by(_signer(Usage.PEK, self.keys[Usage.PEK]))
        self.certificates[Usage.PDH] = pdh
        self._save()

    def _new_key(self, usage: Usage) -> ec.EllipticCurvePrivateKey:
        key = ec.generate_private_key(ec.SECP384R1())
        self.keys[usage] = key
        return key

    def _certificate(self, usage: Usage) -> Certificate:
        return Certificate.build(usage, self.keys[usage].public_key(), self.firmware.api)

    def _save(self) -> None:
        memory = self.folder / "nv"
        memory.mkdir(mode=0o700, exist_ok=True)
        for usage in _PERSISTENT:
            name = usage.name.lower()
            _write_key(memory / f"{name}.key", self.keys[usage])
            _replace(memory / f"{name}.cert", self.certificates[usage].encode())


def create(folder: Path, bits: int = vendor.DEFAULT_BITS) -> Platform:
    """Make a platform and its vendor in a folder. `bits` is the size of the vendor's keys: 2048 or 4096."""
    folder.mkdir(parents=True, exist_ok=True)
    maker = vendor.create(bits)
    firmware = Firmware()
    cek_key = ec.generate_private_key(ec.SECP384R1())
    cek = Certificate.build(Usage.CEK, cek_key.public_key(), firmware.api)
    fuses = folder / "fuses"
    fuses.mkdir(mode=0o700, exist_ok=True)
    _write_key(fuses / "cek.key", cek_key)
    chip_id = os.urandom(64).hex().upper()
    _replace(folder / "chip_id", chip_id.encode())
    _replace(folder / "firmware.json", json.dumps(asdict(firmware)).encode())
    _replace(folder / "ask.cert", maker.chain.ask.encode())
    _replace(folder / "ark.cert", maker.chain.ark.encode())
    _replace(folder / "ask_ark.cert", maker.chain.encode())
    _replace(folder / "cek.cert", cek.signed_by(maker.signing_key).encode())
    platform = Platform(folder, firmware, chip_id, cek, cek_key, {}, {})
    platform.make_oca()
    return platform


def load(folder: Path) -> Platform:
    """Read a platform that `create` made. Raises OSError or ValueError when its files are not that."""
    firmware = Firmware(**json.loads((folder / "firmware.json").read_text()))
    signed = Certificate.read(io.BytesIO((folder / "cek.cert").read_bytes()))
    memory = folder / "nv"
    certificates = {}
    keys = {}
    for usage in _PERSISTENT:
        name = usage.name.lower()
        certificates[usage] = Certificate.read(io.BytesIO((memory / f"{name}.cert").read_bytes()))
        keys[usage] = _read_key(memory / f"{name}.key")
    return Platform(
        folder=folder,
        firmware=firmware,
        chip_id=(folder / "chip_id").read_text(),
        cek=Certificate(signed.body),
        cek_key=_read_key(folder / "fuses" / "cek.key"),
        certificates=certificates,
        keys=keys,
    )


def publish(folder: Path, web_root: Path) -> None:
    """Lay the chip's signed CEK where the vendor's key distribution service serves it: `/cek/id/<chip id>`.

    sevctl 0.4.1 (src/main.rs, chain) asks `kdsintf.amd.com` for that path; `web_root` is that host's folder.
    """
    target = web_root / "cek" / "id" / (folder / "chip_id").read_text()
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes((folder / "cek.cert").read_bytes())


def _signer(usage: Usage, key: ec.EllipticCurvePrivateKey) -> SigningKey:
    return SigningKey(usage, Algorithm.ECDSA_SHA256, key)


def _write_key(path: Path, key: ec.EllipticCurvePrivateKey) -> None:
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    _replace(path, pem, mode=0o600)


def _read_key(path: Path) -> ec.EllipticCurvePrivateKey:
    key = serialization.load_pem_private_key(path.read_bytes(), None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise TypeError(f"{path} holds no elliptic curve key")
    return key


def _replace(path: Path, data: bytes, mode: int = 0o644) -> None:
    draft = path.with_name(path.name + ".new")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(data)
    draft.replace(path)
