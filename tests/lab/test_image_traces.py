"""What a host has of an image: found by its layers' blobs and by a file that is in it."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from lab.errors import NotProven
from lab.execution import quoted
from lab.image_traces import CONTENT, ImageTraces
from lab.node import CRICTL
from lab.record import MemoryRecord

LAYERS = ("sha256:" + "a" * 64, "sha256:" + "b" * 64)
ENTRYPOINT = "/opt/x/entry point.sh"


class LocalHost:
    """Runs commands here; containerd's folder is `folder`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def run(self, command: str, *args: object, **_: Any) -> SimpleNamespace:
        if command == f"{CRICTL} info":
            told = json.dumps({"config": {"containerdRootDir": str(self._folder)}})
            return SimpleNamespace(stdout=told, succeeded=True)
        done = subprocess.run(quoted(command, args), shell=True, capture_output=True, text=True, check=False)  # noqa: S602
        return SimpleNamespace(stdout=done.stdout, lines=done.stdout.splitlines())

    def read_file(self, path: str) -> bytes:
        return Path(path).read_bytes()

    def remove_file(self, path: str) -> None:
        Path(path).unlink()


@dataclass
class Published:
    process: dict[str, Any]

    def manifest(self, _image: str) -> dict[str, Any]:
        return {"config": {"digest": "sha256:c"}, "layers": [{"digest": digest} for digest in LAYERS]}

    def download(self, _image: str, _digest: str, path: str) -> None:
        Path(path).write_text(json.dumps({"config": self.process}))


@pytest.fixture
def content(tmp_path: Path) -> Path:
    (tmp_path / CONTENT).mkdir(parents=True)
    return tmp_path


def traces(content: Path, process: dict[str, Any] | None = None) -> ImageTraces:
    published = Published({"Entrypoint": [ENTRYPOINT], "Cmd": ["run"]} if process is None else process)
    return ImageTraces(cast("Any", LocalHost(content)), cast("Any", published), MemoryRecord())


def put(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("x")
    return path


def test_nothing_is_found_where_nothing_is(content: Path) -> None:
    looking = traces(content)
    assert looking.of(looking.canary("r/x:1")) == set()


def test_a_layer_in_the_content_store_and_a_file_in_a_snapshot_are_found(content: Path) -> None:
    looking = traces(content)
    canary = looking.canary("r/x:1")
    blob = put(content / CONTENT / ("b" * 64))
    unpacked = put(content / "io.containerd.snapshotter.v1.overlayfs/snapshots/7/fs/opt/x/entry point.sh")
    put(content / "io.containerd.snapshotter.v1.overlayfs/snapshots/8/fs/opt/other")
    assert looking.of(canary) == {str(blob), str(unpacked)}


def test_a_layer_that_is_shared_with_another_image_says_nothing(content: Path) -> None:
    looking = traces(content)
    canary = looking.canary("r/x:1")
    shared = put(content / CONTENT / ("a" * 64))
    assert looking.require_absent(canary) == {str(shared)}


def test_an_image_that_was_there_before_proves_nothing(content: Path) -> None:
    looking = traces(content)
    canary = looking.canary("r/x:1")
    blobs = [put(content / CONTENT / digest.partition(":")[2]) for digest in LAYERS]
    assert looking.require_absent(canary) == set(map(str, blobs)), "its file is a witness yet"
    put(content / "io.containerd.snapshotter.v1.overlayfs/snapshots/7/fs/opt/x/entry point.sh")
    with pytest.raises(NotProven) as caught:
        looking.require_absent(canary)
    assert caught.value.owner == "W-1.1"


def test_an_image_without_a_program_by_its_path_has_no_canary(content: Path) -> None:
    with pytest.raises(NotProven, match="no file to look for"):
        traces(content, {"Cmd": ["sh"]}).canary("r/x:1")
