"""The operator's source as GitHub gives it out for a tag: a compressed tar of `config/`.

`kubectl apply -k` of its folders is the guide's `kubectl apply -k github.com/…?ref=v0.3.0`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from simlab.images import layer
from simlab.images.layer import Entry
from simlab.operator.seed import SOURCE

if TYPE_CHECKING:
    from simlab.layout import Layout

HOST: Final = "github.com"
PATH: Final = "confidential-containers/operator/archive/refs/tags/v0.3.0.tar.gz"
_FOLDER: Final = "operator-0.3.0"


def publish(layout: Layout) -> None:
    """Put the archive where the internet serves it."""
    files = {
        f"{_FOLDER}/{path.relative_to(SOURCE)}": Entry(path.read_bytes())
        for path in SOURCE.rglob("*")
        if path.is_file()
    }
    target = layout.internet / HOST / PATH
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(layer.compress(layer.pack(files)))
