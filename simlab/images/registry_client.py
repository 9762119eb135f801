"""A pull client for OCI registries, with its own name resolution and CA roots.

The simulated world has no DNS server: names of the simulated internet resolve to its one address.
"""

from __future__ import annotations

import http.client
import json
import re
import ssl
import urllib.parse
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from simlab import addresses
from simlab.images import oci
from simlab.images.layer import digest
from simlab.images.reference import DEFAULT_REGISTRY, Reference

if TYPE_CHECKING:
    from collections.abc import Mapping

ACCEPTED: Final = (oci.MANIFEST, oci.INDEX, oci.DOCKER_MANIFEST, oci.DOCKER_MANIFEST_LIST)
HOSTS: Final[Mapping[str, str]] = dict.fromkeys(addresses.INTERNET_NAMES, addresses.INTERNET_IP)

_DOCKER_ENDPOINT: Final = "registry-1.docker.io"
_CHALLENGE: Final = re.compile(r'(\w+)="([^"]*)"')


class UnreachableError(Exception):
    """No connection, or one that broke or was not trusted. `reason` is the cause as the system gives it."""

    def __init__(self, url: str, reason: str) -> None:
        super().__init__(f"{url}: {reason}")
        self.url = url
        self.reason = reason


class RegistryError(Exception):
    """The registry answered with an error: HTTP `status`, `code` and `message` of the first one given."""

    def __init__(self, url: str, status: int, code: str, message: str) -> None:
        super().__init__(f"{url}: {status} {code}: {message}")
        self.url = url
        self.status = status
        self.code = code
        self.message = message


@dataclass(frozen=True)
class Manifest:
    """An image manifest for linux/amd64 as pulled."""

    digest: str
    media_type: str
    content: Mapping[str, Any]


@dataclass(frozen=True)
class _Answer:
    url: str
    status: int
    headers: Mapping[str, str]
    body: bytes


class RegistryClient:
    """Pulls from any registry; one object serves one pull after the other, not two at once."""

    def __init__(
        self, ca_roots: str | None = None, *, hosts: Mapping[str, str] = HOSTS, timeout: float = 30
    ) -> None:
        """Trust `ca_roots` (PEM), and without them nothing over HTTPS.

        `hosts` maps names to addresses, each with a port where it is not the scheme's. `timeout` is in
        seconds, for each request.
        """
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        if ca_roots:
            self._tls.load_verify_locations(cadata=ca_roots)
        self._hosts = hosts
        self._timeout = timeout
        self._tokens: dict[str, str] = {}

    def manifest(self, reference: Reference) -> Manifest:
        """Pull a manifest; from an index, the one for linux/amd64.

        Raises UnreachableError and RegistryError, the latter with status 404 for an image that is not there.
        """
        answer = self._get(reference, f"manifests/{reference.wanted}", accept=", ".join(ACCEPTED))
        content = json.loads(answer.body)
        media_type = answer.headers.get("content-type", oci.MANIFEST)
        if media_type in (oci.INDEX, oci.DOCKER_MANIFEST_LIST):
            for entry in content["manifests"]:
                platform = entry.get("platform", {})
                if (platform.get("os"), platform.get("architecture")) == ("linux", "amd64"):
                    chosen = Reference(reference.registry, reference.repository, digest=entry["digest"])
                    return self.manifest(chosen)
            raise RegistryError(answer.url, 404, "MANIFEST_UNKNOWN", "no manifest for linux/amd64")
        found = digest(answer.body)
        if reference.digest and found != reference.digest:
            raise RegistryError(answer.url, 200, "DIGEST_INVALID", f"not {reference.digest}: {found}")
        return Manifest(found, media_type, content)

    def blob(self, reference: Reference, blob: str) -> bytes:
        """Pull a blob and check it against its digest. Raises UnreachableError and RegistryError."""
        answer = self._get(reference, f"blobs/{blob}", accept="*/*")
        found = digest(answer.body)
        if found != blob:
            raise RegistryError(answer.url, 200, "DIGEST_INVALID", f"got {found}, expected {blob}")
        return answer.body

    def body(self, reference: Reference, blob: str) -> bytes:
        """Pull what the registry gives for a blob, be it an error's text or of another digest.

        Raises UnreachableError.
        """
        return self._ask(reference, f"blobs/{blob}", accept="*/*").body

    def _get(self, reference: Reference, path: str, accept: str) -> _Answer:
        answer = self._ask(reference, path, accept)
        if answer.status != http.HTTPStatus.OK:
            raise _error(answer)
        return answer

    def _ask(self, reference: Reference, path: str, accept: str) -> _Answer:
        host = _DOCKER_ENDPOINT if reference.registry == DEFAULT_REGISTRY else reference.registry
        url = f"{self._scheme(host)}://{host}/v2/{reference.repository}/{path}"
        headers = {"Accept": accept}
        key = f"{host}/{reference.repository}"
        if key in self._tokens:
            headers["Authorization"] = f"Bearer {self._tokens[key]}"
        answer = self._request(url, headers)
        if answer.status == http.HTTPStatus.UNAUTHORIZED and "www-authenticate" in answer.headers:
            self._tokens[key] = self._token(answer.headers["www-authenticate"])
            headers["Authorization"] = f"Bearer {self._tokens[key]}"
            answer = self._request(url, headers)
        return answer

    def _token(self, challenge: str) -> str:
        fields = dict(_CHALLENGE.findall(challenge))
        query = urllib.parse.urlencode(
            {name: fields[name] for name in ("service", "scope") if name in fields}
        )
        answer = self._request(f"{fields['realm']}?{query}", {})
        if answer.status != http.HTTPStatus.OK:
            raise _error(answer)
        content = json.loads(answer.body)
        return str(content.get("token") or content["access_token"])

    def _scheme(self, host: str) -> str:
        """HTTPS but for a registry on an own port or on this machine, as containerd's defaults have it."""
        name = host.partition(":")[0]
        return "http" if name in ("localhost", "127.0.0.1") or ":" in host else "https"

    def _request(self, url: str, headers: Mapping[str, str]) -> _Answer:
        parts = urllib.parse.urlsplit(url)
        name = parts.hostname or ""
        connection = _connection(parts, self._hosts.get(name, name), self._tls, self._timeout)
        try:
            target = parts.path + (f"?{parts.query}" if parts.query else "")
            connection.request("GET", target, headers={"Host": parts.netloc, **headers})
            response = connection.getresponse()
            body = response.read()
        except (OSError, http.client.HTTPException) as error:
            raise UnreachableError(url, _reason(error)) from error
        finally:
            connection.close()
        return _Answer(url, response.status, {k.lower(): v for k, v in response.getheaders()}, body)


def _connection(
    parts: urllib.parse.SplitResult, address: str, tls: ssl.SSLContext, timeout: float
) -> http.client.HTTPConnection:
    host, _, mapped = address.partition(":")
    port = int(mapped) if mapped else parts.port
    if parts.scheme == "http":
        return http.client.HTTPConnection(host, port or 80, timeout=timeout)
    return _NamedHTTPSConnection(
        host, port or 443, server_name=parts.hostname or "", context=tls, timeout=timeout
    )


class _NamedHTTPSConnection(http.client.HTTPSConnection):
    """Connects to an address and speaks TLS to the name that was asked for."""

    def __init__(
        self, address: str, port: int, *, server_name: str, context: ssl.SSLContext, timeout: float
    ) -> None:
        super().__init__(address, port, context=context, timeout=timeout)
        self._server_name = server_name
        self._tls = context

    def connect(self) -> None:
        http.client.HTTPConnection.connect(self)
        self.sock = self._tls.wrap_socket(self.sock, server_hostname=self._server_name)


def _reason(error: OSError | http.client.HTTPException) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"certificate verify failed: {error.verify_message}"
    if isinstance(error, TimeoutError):
        return "operation timed out"
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror} (os error {error.errno})"
    return str(error) or type(error).__name__


def _error(answer: _Answer) -> RegistryError:
    try:
        first = json.loads(answer.body)["errors"][0]
        code, message = str(first["code"]), str(first.get("message", ""))
    except (ValueError, LookupError, TypeError):
        code, message = "UNKNOWN", answer.body[:200].decode("utf-8", "replace").strip()
    return RegistryError(answer.url, answer.status, code, message)
