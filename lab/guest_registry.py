"""The registry where the suite keeps images of its own for a while, and guests pull them from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.errors import CommandFailed, LabError, NotProven
from lab.findings import finding
from lab.image_encryption import Reference
from lab.registry_http import HttpAnswer, RegistryHttp

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lab.host import Host
    from lab.record import Record
    from lab.registry_http import Login

OCTETS = "Content-Type: application/octet-stream"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"

# What a registry says that has deletion switched off, or does not let this login delete.
_NO_DELETION = {403, 405}


class GuestRegistry:
    """One repository. Without one in the lab file, whoever asks for it gets NotProven."""

    def __init__(
        self, *, repository: str | None, login: Login | None, host: Host, seconds: float, record: Record
    ) -> None:
        self._repository = repository
        self._host = host
        self._http = RegistryHttp(host, login)
        self._seconds = seconds
        self._record = record

    @property
    def repository(self) -> str:
        """As it stands in a pod's image, without tag and digest. Raises NotProven where there is none."""
        if self._repository is None:
            raise NotProven(
                "the lab file names no registry that guests can pull from:"
                " set guest_registry.repository (docs/lab-files.md)"
            )
        return self._repository

    def require(self) -> None:
        """Raise NotProven where the lab file names no repository."""
        _ = self.repository

    def push(self, blobs: Mapping[str, str], manifest: tuple[str, str]) -> None:
        """Upload files of the host, each with its digest: blobs first, and the manifest that names them.

        Raises NotProven where the registry does not take them.
        """
        try:
            for digest, path in blobs.items():
                self._put_blob(digest, path)
            digest, path = manifest
            url = f"{self._base}/manifests/{digest}"
            self._expect(
                self._ask(url, f"Content-Type: {MANIFEST}", method="PUT", body=path), 201, "manifest"
            )
        except (CommandFailed, LookupError, ValueError) as error:
            raise NotProven(f"{self.repository} does not take the suite's image: {error}") from None

    def delete(self, repository: str, digest: str) -> str:
        """Delete an image's manifest, and say how it went; its blobs go when the registry collects garbage.

        Raises LabError where it is not known to be gone, or to have to stay.
        """
        if repository != self._repository:
            raise LabError(f"{repository}@{digest} was pushed: name that repository in guest_registry again")
        url = f"{self._base}/manifests/{digest}"
        try:
            # As a guest would: a push that came to nothing needs no login that works.
            if RegistryHttp(self._host).ask(url, f"Accept: {MANIFEST}").status == 404:
                return "not there"
            answer = self._ask(url, method="DELETE")
        except (CommandFailed, LookupError, ValueError) as error:
            raise LabError(f"{repository}@{digest} is not deleted: {error}") from None
        if answer.status in _NO_DELETION:
            detail = f"{repository}@{digest}: the registry does not delete it ({answer})"
            self._record.finding(finding("image-stays", detail))
            return "left in the registry, which does not delete"
        if answer.status not in {200, 202, 404}:
            raise LabError(f"{repository}@{digest} is not deleted: {answer}")
        return "deleted"

    @property
    def _base(self) -> str:
        reference = Reference.parse(self.repository)
        return f"https://{reference.registry}/v2/{reference.repository}"

    def _put_blob(self, digest: str, path: str) -> None:
        """One upload in two requests (specification, "POST then PUT")."""
        url = f"{self._base}/blobs/uploads/"
        # curl sends a length of 0 with an empty body, and none without.
        begun = self._expect(self._ask(url, OCTETS, method="POST", body="/dev/null"), 202, f"blob {digest}")
        target = begun.headers["location"]
        if target.startswith("/"):
            target = self._base[: self._base.index("/v2/")] + target
        target += ("&" if "?" in target else "?") + f"digest={digest}"
        sent = self._ask(target, OCTETS, method="PUT", body=path)
        self._expect(sent, 201, f"blob {digest}")

    def _ask(self, url: str, *headers: str, method: str, body: str | None = None) -> HttpAnswer:
        return self._http.ask(url, *headers, method=method, body=body, deadline=self._seconds)

    @staticmethod
    def _expect(answer: HttpAnswer, status: int, what: str) -> HttpAnswer:
        if answer.status != status:
            raise ValueError(f"{what}: {answer}")
        return answer
