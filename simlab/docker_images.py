"""docker's images on the host: what was pulled, and what an image's containers run.

Pulled images are listed in `/var/lib/docker/simlab-images.json`; their layers are not kept, as the programs
of the images that can run here are the lab's own.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

from simlab.images.reference import Reference
from simlab.images.registry_client import RegistryClient, RegistryError, UnreachableError

if TYPE_CHECKING:
    from simlab.layout import Layout

_LIST: Final = "var/lib/docker/simlab-images.json"
_CA_BUNDLE: Final = "etc/pki/tls/certs/ca-bundle.crt"
_NOT_FOUND: Final = 404


class ImageError(Exception):
    """docker's own words for what it cannot do with an image."""


@dataclass(frozen=True)
class DockerImage:
    """A pulled image: `image_id` is its configuration's digest, `config` that configuration's `config`."""

    name: str
    tag: str
    image_id: str
    digest: str
    created: str
    size: int
    config: dict[str, Any]


class DockerImages:
    """The images that docker has."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout

    def all(self) -> list[DockerImage]:
        """Return every image."""
        path = self._layout.host / _LIST
        return [DockerImage(**one) for one in json.loads(path.read_text())] if path.exists() else []

    def find(self, text: str) -> DockerImage | None:
        """Return the image that a command line names, if it was pulled. Raises ImageError."""
        wanted = _reference(text)
        name, tag = _familiar(wanted), wanted.tag or "latest"
        return next((one for one in self.all() if (one.name, one.tag) == (name, tag)), None)

    def pull(self, text: str) -> DockerImage:
        """Pull an image from its registry. Blocks. Raises ImageError with docker 20.10's texts."""
        wanted = _reference(text)
        client = RegistryClient((self._layout.host / _CA_BUNDLE).read_text())
        try:
            manifest = client.manifest(wanted)
            config_digest = manifest.content["config"]["digest"]
            config = json.loads(client.blob(wanted, config_digest))
        except UnreachableError as error:
            raise ImageError(f'Get "{error.url}": {error.reason}') from None
        except RegistryError as error:
            name = _familiar(wanted)
            if error.status == _NOT_FOUND:
                raise ImageError(f"manifest for {name}:{wanted.tag} not found: manifest unknown") from None
            raise ImageError(
                f"pull access denied for {name}, repository does not exist or may require 'docker login':"
                " denied: requested access to the resource is denied"
            ) from None
        image = DockerImage(
            name=_familiar(wanted),
            tag=wanted.tag or "latest",
            image_id=config_digest,
            digest=manifest.digest,
            created=str(config.get("created", "")),
            size=sum(int(layer["size"]) for layer in manifest.content["layers"]),
            config=config.get("config") or {},
        )
        self._record(image)
        return image

    def _record(self, image: DockerImage) -> None:
        others = [one for one in self.all() if (one.name, one.tag) != (image.name, image.tag)]
        path = self._layout.host / _LIST
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps([asdict(one) for one in (image, *others)], indent=1))


def _reference(text: str) -> Reference:
    try:
        return Reference.parse(text)
    except ValueError:
        raise ImageError("invalid reference format") from None


def _familiar(reference: Reference) -> str:
    """Return a name as docker shows it: Docker Hub's own images bear their last name only."""
    return str(reference.name).removeprefix("docker.io/").removeprefix("library/")
