"""What `crictl … -o json` prints: protobuf's JSON of the CRI's answers."""

from __future__ import annotations

import json
from dataclasses import dataclass

from lab.errors import LabError


@dataclass(frozen=True)
class Image:
    """An image in the runtime's store."""

    id: str
    repo_tags: tuple[str, ...]
    repo_digests: tuple[str, ...]


def parse_images(output: str) -> list[Image]:
    """The images of `crictl images -o json`. Raises LabError for what is not that."""
    try:
        return [
            Image(image["id"], tuple(image.get("repoTags") or ()), tuple(image.get("repoDigests") or ()))
            for image in json.loads(output)["images"] or ()
        ]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise LabError(f"crictl images gave no list of images: {error!r}") from None


def parse_sandboxes(output: str) -> dict[str, str]:
    """Pod uid of each sandbox id in `crictl pods -o json`. Raises LabError for what is not that."""
    try:
        return {item["id"]: item["metadata"]["uid"] for item in json.loads(output)["items"] or ()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise LabError(f"crictl pods gave no list of sandboxes: {error!r}") from None
