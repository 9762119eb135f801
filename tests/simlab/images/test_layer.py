"""Layers unpack over each other as the OCI image specification says."""

from __future__ import annotations

import io
import tarfile
from typing import TYPE_CHECKING

import pytest

from simlab.images import layer
from simlab.images.layer import Entry

if TYPE_CHECKING:
    from pathlib import Path


def tree(root: Path) -> set[str]:
    return {str(path.relative_to(root)) for path in root.rglob("*") if not path.is_dir() or path.is_symlink()}


def test_upper_layer_wins_and_whiteouts_remove(tmp_path: Path) -> None:
    layer.unpack(
        layer.pack({"etc/a": Entry(b"1"), "etc/b": Entry(b"1"), "var/x": Entry(), "var/y": Entry()}), tmp_path
    )
    layer.unpack(
        layer.pack({"etc/a": Entry(b"2", 0o755), "etc/.wh.b": Entry(), "var/.wh..wh..opq": Entry()}), tmp_path
    )
    assert tree(tmp_path) == {"etc/a"}
    assert (tmp_path / "etc/a").read_bytes() == b"2"
    assert (tmp_path / "etc/a").stat().st_mode & 0o777 == 0o755


def test_file_replaces_a_link_and_not_what_it_points_to(tmp_path: Path) -> None:
    layer.unpack(layer.pack({"a": Entry(b"kept"), "b": Entry(link="a")}), tmp_path)
    layer.unpack(layer.pack({"b": Entry(b"new")}), tmp_path)
    assert (tmp_path / "a").read_bytes() == b"kept"
    assert not (tmp_path / "b").is_symlink()


def test_absolute_links_are_the_images_own(tmp_path: Path) -> None:
    layer.unpack(layer.pack({"bin/sh": Entry(link="/bin/busybox")}), tmp_path)
    assert str((tmp_path / "bin/sh").readlink()) == "/bin/busybox"


@pytest.mark.parametrize("name", ["../escaped", "a/../../escaped"])
def test_no_file_leaves_the_root(tmp_path: Path, name: str) -> None:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        tar.addfile(tarfile.TarInfo(name), io.BytesIO())
    root = tmp_path / "root"
    root.mkdir()
    with pytest.raises(ValueError, match="cannot unpack layer"):
        layer.unpack(stream.getvalue(), root)
    assert not (tmp_path / "escaped").exists()


def test_rubbish_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="cannot unpack layer"):
        layer.unpack(b"no tar" * 200, tmp_path)
