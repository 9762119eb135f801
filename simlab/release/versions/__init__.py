"""The CoCo releases that a lab can be; which one it is stands in its world, where every service finds it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from simlab.release.versions.coco_0_3_0 import RELEASE as COCO_0_3_0
from simlab.release.versions.coco_0_7_0 import RELEASE as COCO_0_7_0

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from simlab.layout import Layout
    from simlab.release.versions.release import Release

DEFAULT: Final = COCO_0_3_0
"""The guide's release, and that of a lab where nothing is written."""
RELEASES: Final = {release.name: release for release in (COCO_0_3_0, COCO_0_7_0)}


def of(layout: Layout) -> Release:
    """The release of a lab."""
    try:
        return RELEASES[_file(layout).read_text()]
    except FileNotFoundError:
        return DEFAULT


def write(layout: Layout, name: str) -> None:
    """Say which release a lab is, before anything of it starts."""
    _file(layout).parent.mkdir(parents=True, exist_ok=True)
    _file(layout).write_text(name)


def by_mark(text: str, mark: Callable[[Release], str]) -> Release:
    """The release whose mark a file bears; the guide's where it bears none."""
    return next((release for release in RELEASES.values() if mark(release) in text), DEFAULT)


def _file(layout: Layout) -> Path:
    return layout.world / "release"
