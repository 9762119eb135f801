"""The operator's source as GitHub has it: a repository, and a compressed tar of the tag.

`kubectl apply -k github.com/…?ref=TAG` fetches the former with git.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from simlab.images import layer
from simlab.images.layer import Entry
from simlab.internet import git, git_objects
from simlab.release import versions

if TYPE_CHECKING:
    from simlab.layout import Layout

HOST: Final = "github.com"
REPOSITORY: Final = "confidential-containers/operator"


def publish(layout: Layout) -> None:
    """Put the archive and the repository where the internet serves them."""
    release = versions.of(layout)
    files, tag = release.operator_source(), release.tag
    tar = layer.pack({f"operator-{release.name}/{name}": Entry(data) for name, data in files.items()})
    target = layout.internet / HOST / f"{REPOSITORY}/archive/refs/tags/{tag}.tar.gz"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(layer.compress(tar))
    git.publish(layout.world / "git", REPOSITORY, tag, git_objects.snapshot(files, f"Release {tag}"))
