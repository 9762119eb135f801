"""The cluster's API over one connection, with the standard library only: quick to start."""

from __future__ import annotations

import http.client
import json
import ssl
from typing import TYPE_CHECKING, Any, Final, Self

from simlab import addresses

if TYPE_CHECKING:
    from simlab.layout import Layout

Object = dict[str, Any]

_TIMEOUT_SECONDS: Final = 30.0


class KubeClientError(Exception):
    """The API refused a request; `code` is HTTP's, the message the API's own."""

    def __init__(self, what: str, code: int, message: str) -> None:
        super().__init__(f"{what}: {message}")
        self.code = code


class KubeClient:
    """A client with the certificate or token of one of the lab's identities (`simlab.pki`).

    Not for several threads.
    """

    def __init__(self, layout: Layout, identity: str) -> None:
        context = ssl.create_default_context(cafile=str(layout.pki / "ca.crt"))
        self._headers = {"Accept": "application/json"}
        token = layout.pki / f"{identity}.token"
        if token.exists():
            self._headers["Authorization"] = f"Bearer {token.read_text()}"
        else:
            context.load_cert_chain(layout.pki / f"{identity}.crt", layout.pki / f"{identity}.key")
        self._connection = http.client.HTTPSConnection(
            addresses.HOST_IP, addresses.KUBE_API_PORT, context=context, timeout=_TIMEOUT_SECONDS
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def find(self, path: str) -> Object | None:
        """Return an object or a list, None if there is none. Raises KubeClientError."""
        try:
            return self._request("GET", path)
        except KubeClientError as error:
            if error.code == http.HTTPStatus.NOT_FOUND:
                return None
            raise

    def create(self, path: str, body: Object) -> Object:
        """Create an object in a collection, or return the one of its name. Raises KubeClientError."""
        try:
            return self._request("POST", path, body)
        except KubeClientError as error:
            existing = self.find(f"{path}/{body['metadata']['name']}")
            if error.code != http.HTTPStatus.CONFLICT or existing is None:
                raise
            return existing

    def replace(self, path: str, body: Object) -> Object:
        """Replace an object, or a subresource of it. Raises KubeClientError."""
        return self._request("PUT", path, body)

    def merge(self, path: str, body: Object) -> Object:
        """Apply a JSON merge patch. Raises KubeClientError."""
        return self._request("PATCH", path, body, "application/merge-patch+json")

    def _request(
        self, method: str, path: str, body: Object | None = None, kind: str = "application/json"
    ) -> Object:
        text = None if body is None else json.dumps(body)
        self._connection.request(method, path, text, self._headers | {"Content-Type": kind})
        response = self._connection.getresponse()
        answer: Object = json.loads(response.read())
        if response.status >= http.HTTPStatus.BAD_REQUEST:
            message = str(answer.get("message", response.status))
            raise KubeClientError(f"{method} {path}", response.status, message)
        return answer
