"""The operator's source as GitHub has it: a repository, and a compressed tar of the tag.

`kubectl apply -k github.com/…?ref=v0.3.0` fetches the former with git.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from simlab.images import layer
from simlab.images.layer import Entry
from simlab.internet import git, git_objects
from simlab.operator.seed import SOURCE

if TYPE_CHECKING:
    from simlab.layout import Layout

HOST: Final = "github.com"
REPOSITORY: Final = "confidential-containers/operator"
TAG: Final = "v0.3.0"
PATH: Final = f"{REPOSITORY}/archive/refs/tags/{TAG}.tar.gz"
_FOLDER: Final = "operator-0.3.0"


def publish(layout: Layout) -> None:
    """Put the archive and the repository where the internet serves them."""
    files = {str(path.relative_to(SOURCE)): path.read_bytes() for path in SOURCE.rglob("*") if path.is_file()}
    tar = layer.pack({f"{_FOLDER}/{name}": Entry(data) for name, data in files.items()})
    target = layout.internet / HOST / PATH
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(layer.compress(tar))
    git.publish(layout.world / "git", REPOSITORY, TAG, git_objects.snapshot(files, f"Release {TAG}"))
