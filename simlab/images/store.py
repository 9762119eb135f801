"""A registry's content on disk: blobs by digest, manifests and tags by repository."""

from __future__ import annotations

import json
import re
import tempfile
from pathlib import Path
from typing import Final

from simlab.images.layer import digest
from simlab.images.oci import MANIFEST, Image

_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}")
_NAME: Final = re.compile(r"[a-z0-9]+(?:[._-]+[a-z0-9]+)*(?:/[a-z0-9]+(?:[._-]+[a-z0-9]+)*)*")
_TAG: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")


class Store:
    """One registry in one folder. Every name and digest is checked before it becomes a path."""

    def __init__(self, root: Path) -> None:
        self._root = root

    @staticmethod
    def is_digest(text: str) -> bool:
        """Tell a digest from a tag."""
        return _DIGEST.fullmatch(text) is not None

    @staticmethod
    def is_name(text: str) -> bool:
        """Tell whether `text` may name a repository (OCI distribution specification 1.0)."""
        return _NAME.fullmatch(text) is not None

    @staticmethod
    def is_tag(text: str) -> bool:
        """Tell whether `text` may be a tag."""
        return _TAG.fullmatch(text) is not None

    def blob_path(self, blob: str) -> Path | None:
        """Where a blob lies; None if it does not exist."""
        path = self._blob(blob)
        return path if path.is_file() else None

    def put_blob(self, data: bytes) -> str:
        """Keep a blob and return its digest."""
        name = digest(data)
        _replace(self._blob(name), data)
        return name

    def manifest(self, repository: str, reference: str) -> tuple[bytes, str] | None:
        """A manifest by tag or digest, with its media type; None if the repository has no such manifest."""
        folder = self._repository(repository)
        if not self.is_digest(reference):
            tag = folder / "tags" / reference
            if not self.is_tag(reference) or not tag.is_file():
                return None
            reference = tag.read_text()
        path = folder / "manifests" / reference.replace(":", "-")
        if not path.is_file():
            return None
        data = path.read_bytes()
        return data, json.loads(data).get("mediaType", MANIFEST)

    def put_manifest(self, repository: str, reference: str, data: bytes) -> str:
        """Keep a manifest under its digest, and under `reference` if that is a tag; return the digest."""
        folder = self._repository(repository)
        name = digest(data)
        _replace(folder / "manifests" / name.replace(":", "-"), data)
        if not self.is_digest(reference):
            _replace(folder / "tags" / reference, name.encode())
        return name

    def has_repository(self, repository: str) -> bool:
        """Tell whether anything was ever put into a repository."""
        return self._repository(repository).is_dir()

    def tags(self, repository: str) -> list[str]:
        """Tags of a repository, sorted."""
        folder = self._repository(repository) / "tags"
        return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []

    def repositories(self) -> list[str]:
        """Names of all repositories, sorted."""
        base = self._root / "repositories"
        return sorted(str(path.parent.relative_to(base)) for path in base.glob("**/manifests"))

    def put_image(self, repository: str, tag: str, image: Image) -> str:
        """Keep an image with all of its blobs; return the manifest's digest."""
        for data in image.blobs.values():
            self.put_blob(data)
        return self.put_manifest(repository, tag, image.manifest)

    def delete_manifest(self, repository: str, name: str) -> bool:
        """Forget a manifest, by digest, and its tags; blobs stay. Tell whether it was there."""
        folder = self._repository(repository)
        path = folder / "manifests" / name.replace(":", "-")
        if not self.is_digest(name) or not path.is_file():
            return False
        for tag in self.tags(repository):
            if (folder / "tags" / tag).read_text() == name:
                self.delete_tag(repository, tag)
        path.unlink()
        return True

    def delete_tag(self, repository: str, tag: str) -> None:
        """Forget a tag; its manifest stays."""
        (self._repository(repository) / "tags" / tag).unlink(missing_ok=True)

    def _blob(self, blob: str) -> Path:
        if not self.is_digest(blob):
            raise ValueError(f"not a digest: {blob!r}")
        return self._root / "blobs" / blob.replace(":", "/")

    def _repository(self, repository: str) -> Path:
        if not self.is_name(repository):
            raise ValueError(f"not a repository name: {repository!r}")
        return self._root / "repositories" / repository


def _replace(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".", delete=False) as file:
        file.write(data)
    Path(file.name).chmod(0o644)
    Path(file.name).replace(path)
