"""Image references and how they are completed: `bitnami/nginx:1.22.0` is on docker.io."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from simlab.images.store import Store

DEFAULT_REGISTRY: Final = "docker.io"


@dataclass(frozen=True)
class Reference:
    """A complete image reference; `digest` wins over `tag`."""

    registry: str
    repository: str
    tag: str = ""
    digest: str = ""

    @classmethod
    def parse(cls, text: str) -> Reference:
        """Complete a reference as containerd and image-rs do.

        Raises ValueError for text that is no reference.
        """
        name, _, wanted_digest = text.partition("@")
        first, slash, rest = name.partition("/")
        if slash and ("." in first or ":" in first or first == "localhost"):
            registry, path = first, rest
        else:
            registry, path = DEFAULT_REGISTRY, name
        path, _, tag = path.partition(":")
        if registry == DEFAULT_REGISTRY and "/" not in path:
            path = f"library/{path}"
        if not tag and not wanted_digest:
            tag = "latest"
        if (
            not Store.is_name(path)
            or (tag and not Store.is_tag(tag))
            or (wanted_digest and not Store.is_digest(wanted_digest))
        ):
            raise ValueError(f"invalid reference format: {text!r}")
        return cls(registry, path, tag, wanted_digest)

    @property
    def wanted(self) -> str:
        """What to ask the registry for: the digest, or else the tag."""
        return self.digest or self.tag

    @property
    def name(self) -> str:
        """The reference without tag and digest."""
        return f"{self.registry}/{self.repository}"

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        return f"{self.name}{tag}" + (f"@{self.digest}" if self.digest else "")
