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

    @property
    def names(self) -> tuple[str, ...]:
        """Every name that it has."""
        return (*self.repo_tags, *self.repo_digests)


def parse_images(output: str) -> list[Image]:
    """The images of `crictl images -o json`. Raises LabError for what is not that."""
    try:
        return [
            Image(image["id"], tuple(image.get("repoTags") or ()), tuple(image.get("repoDigests") or ()))
            for image in json.loads(output)["images"] or ()
        ]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise LabError(f"crictl images gave no list of images: {error!r}") from None


def parse_used_images(output: str) -> set[str]:
    """Ids and names of the images in `crictl ps -o json`. Raises LabError for what is not that."""
    try:
        containers = json.loads(output)["containers"] or ()
        return {name for each in containers for name in (each["imageRef"], each["image"]["image"])}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise LabError(f"crictl ps gave no list of containers: {error!r}") from None


def parse_sandboxes(output: str) -> dict[str, str]:
    """Pod uid of each sandbox id in `crictl pods -o json`. Raises LabError for what is not that."""
    try:
        return {item["id"]: item["metadata"]["uid"] for item in json.loads(output)["items"] or ()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise LabError(f"crictl pods gave no list of sandboxes: {error!r}") from None
