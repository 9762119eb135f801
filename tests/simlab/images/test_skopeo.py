"""skopeo (Debian's) lists the encrypted image and copies it as it is. It knows no key providers yet."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from simlab.images import catalog, layer, oci
from simlab.images.reference import Reference
from simlab.images.registry_client import RegistryClient
from simlab.images.store import Store
from tests.simlab.internet.conftest import free_port, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator

KEY = bytes(range(32))
NAME = "haosanzi/busybox-v1"

pytestmark = pytest.mark.skipif(shutil.which("skopeo") is None, reason="skopeo is not installed")


@pytest.fixture(scope="module")
def image() -> oci.Image:
    return catalog.encrypted_busybox(Path("/bin/busybox").read_bytes(), "key_id1", KEY)


@pytest.fixture
def registry(image: oci.Image, tmp_path: Path) -> Iterator[str]:
    Store(tmp_path / "registry").put_image(NAME, "encrypted", image)
    port = free_port()
    argv = [sys.executable, "-m", "simlab.internet.registry"]
    argv += ["--listen", f"127.0.0.1:{port}", "--root", str(tmp_path / "registry")]
    with subprocess.Popen(argv) as process:
        wait_for(port, process)
        yield f"127.0.0.1:{port}"
        process.terminate()


def said(*words: str) -> Any:
    command = ["skopeo", "--insecure-policy", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout) if done.stdout.startswith("{") else done.stdout


def layer_of(folder: Path) -> tuple[dict[str, Any], bytes]:
    """The descriptor and the content of the one layer of an image in skopeo's `dir` format."""
    (described,) = json.loads((folder / "manifest.json").read_text())["layers"]
    return described, (folder / described["digest"].removeprefix("sha256:")).read_bytes()


def test_it_is_listed(registry: str, image: oci.Image) -> None:
    plain = ("--tls-verify=false", f"docker://{registry}/{NAME}")
    assert said("list-tags", *plain)["Tags"] == ["encrypted"]
    shown = said("inspect", plain[0], f"{plain[1]}:encrypted")
    assert shown["Digest"] == image.digest
    assert (shown["Os"], shown["Architecture"]) == ("linux", "amd64")
    (described,) = said("inspect", "--raw", plain[0], f"{plain[1]}:encrypted")["layers"]
    assert shown["Layers"] == [described["digest"]]
    assert described["mediaType"] == oci.LAYER_GZIP_ENCRYPTED
    assert "org.opencontainers.image.enc.keys.provider.attestation-agent" in described["annotations"]


def test_it_is_copied_without_its_key_and_back(registry: str, image: oci.Image, tmp_path: Path) -> None:
    said("copy", "--src-tls-verify=false", f"docker://{registry}/{NAME}:encrypted", f"dir:{tmp_path}/copy")
    assert (tmp_path / "copy/manifest.json").read_bytes() == image.manifest
    _, content = layer_of(tmp_path / "copy")
    assert content == image.blobs[layer.digest(content)]
    said("copy", "--dest-tls-verify=false", f"dir:{tmp_path}/copy", f"docker://{registry}/team/copy:1")
    assert RegistryClient().manifest(Reference.parse(f"{registry}/team/copy:1")).digest == image.digest
