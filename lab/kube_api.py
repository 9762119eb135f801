"""Plain requests to a Kubernetes API: JSON in, JSON out, each with a timeout, each failure one clear line.

The kubernetes package serves as the transport (TLS, client certificate, token). Its DynamicClient is not
used: its discovery waits without a limit on a server that accepts and says nothing.
"""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import urllib3
from kubernetes.client import ApiClient, Configuration
from kubernetes.client.exceptions import ApiException
from urllib3.exceptions import HTTPError, ProtocolError

from lab.errors import ApiRefused, Unreachable
from lab.exchanged import exchanged
from lab.memory_file import MemoryFile
from lab.printable import printable, shortened

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from lab.kubeconfig import Access
    from lab.record import Exchange

# Seconds for a connection and for an answer. The API answers in milliseconds; an admission webhook may not.
TIMEOUT = (10.0, 35.0)


class KubeApi:
    """One API server, at `address` as the runner reaches it.

    `hindrance` may say why it cannot be reached; `repeated` is told what is sent again, and why; `exchanged`
    each request with its answer.
    """

    def __init__(
        self,
        access: Access,
        address: str,
        hindrance: Callable[[], str | None],
        repeated: Callable[[str, str], None],
        exchanged: Callable[[Exchange], None],
    ) -> None:
        self._hindrance = hindrance
        self._repeated = repeated
        self.exchanged = exchanged
        self._files: list[MemoryFile] = []
        self._client: ApiClient | None = None
        configuration = Configuration(host=f"https://{address}")
        configuration.tls_server_name = access.server_name
        configuration.verify_ssl = access.verify
        # Whether a request may be sent again is decided here, not by urllib3.
        configuration.retries = False
        if access.authority:
            configuration.ssl_ca_cert = self._file(access.authority)
        if access.certificate and access.key:
            configuration.cert_file = self._file(access.certificate)
            configuration.key_file = self._file(access.key)
        if access.token:
            configuration.api_key = {"BearerToken": access.token}
            configuration.api_key_prefix = {"BearerToken": "Bearer"}
        if address.startswith("127.0.0.1:"):
            configuration.proxy = None
        if not access.verify:
            urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
        try:
            self._client = ApiClient(configuration)
        except (OSError, ValueError) as error:
            self.close()
            raise Unreachable("cluster", f"the kubeconfig's certificates cannot be used: {error}") from None

    def _file(self, data: bytes) -> str:
        self._files.append(MemoryFile(data))
        return self._files[-1].path

    def close(self) -> None:
        """Close the connections, and forget the credentials."""
        if self._client is not None:
            # Its own `clear` leaves them open until they are collected as garbage.
            pools = self._client.rest_client.pool_manager.pools
            for key in pools.keys():  # noqa: SIM118 - urllib3's container cannot be iterated
                pools[key].close()
        for file in self._files:
            file.close()

    def json(
        self, method: str, path: str, body: dict[str, Any] | None = None, **query: Any
    ) -> dict[str, Any]:
        """Send a request and return the object that comes back. Raises ApiRefused, Unreachable."""
        answer = self.data(method, path, body, **query)
        try:
            parsed: dict[str, Any] = json.loads(answer)
        except ValueError:
            raise Unreachable("cluster", f"{path} is answered, but not with JSON") from None
        if not isinstance(parsed, dict) or not _are_objects(parsed.get("items") or []):
            raise Unreachable("cluster", f"{path} is answered, but with no object and no list of objects")
        return parsed

    def data(self, method: str, path: str, body: dict[str, Any] | None = None, **query: Any) -> bytes:
        """Send a request and return the bytes that come back.

        A GET whose connection ends before an answer is sent once more, and that is told: a server may close
        a connection that is kept alive at any time, which is noticed only by using it (RFC 9110, section
        9.2.2; RFC 9112, section 9.5).
        """
        sent = {key: value for key, value in query.items() if value is not None}
        asked = {"method": method, "path": path, "query": sent} | ({"body": body} if body else {})
        with exchanged(self.exchanged, "kubernetes", asked) as answered, self._clear(f"{method} {path}"):
            answered["body"] = answer = self._send_patiently(method, path, body, sent)
        return answer

    def _send_patiently(
        self, method: str, path: str, body: dict[str, Any] | None, query: dict[str, Any]
    ) -> bytes:
        try:
            return self._send(method, path, body, query, TIMEOUT)
        except (ProtocolError, ApiException) as error:
            cut = _cut_off(error)
            if method != "GET" or cut is None:
                raise
            self._repeated(f"GET {path}", cut)
        return self._send(method, path, body, query, TIMEOUT)

    @contextmanager
    def stream(self, path: str, silence: float, **query: Any) -> Iterator[urllib3.BaseHTTPResponse]:
        """A response that is read as it comes; `silence` is how many seconds it may say nothing."""
        with self._clear(f"GET {path}"):
            response = self._open("GET", path, None, query, (TIMEOUT[0], silence))
            try:
                yield response
            finally:
                response.close()

    def _send(
        self,
        method: str,
        path: str,
        body: dict[str, Any] | None,
        query: dict[str, Any],
        timeout: tuple[float, float],
    ) -> bytes:
        response = self._open(method, path, body, query, timeout)
        try:
            return bytes(response.data)
        finally:
            response.release_conn()

    def _open(
        self,
        method: str,
        path: str,
        body: dict[str, Any] | None,
        query: dict[str, Any],
        timeout: tuple[float, float],
    ) -> urllib3.BaseHTTPResponse:
        content = "application/merge-patch+json" if method == "PATCH" else "application/json"
        assert self._client is not None
        request = self._client.param_serialize(
            method,
            path,
            query_params=[(key, value) for key, value in query.items() if value is not None],
            header_params={"Accept": "application/json", "Content-Type": content},
            body=body,
            auth_settings=["BearerToken"],
        )
        answer = self._client.call_api(*request, _request_timeout=timeout)
        response: urllib3.BaseHTTPResponse = answer.response
        if not 200 <= response.status <= 299:
            raise ApiException(
                status=response.status, reason=response.reason, body=response.data.decode("utf-8", "replace")
            )
        return response

    @contextmanager
    def _clear(self, what: str) -> Iterator[None]:
        try:
            yield
        except ApiException as error:
            raise _refusal(what, error, self._hindrance()) from None
        except HTTPError as error:
            cause = self._hindrance() or _cause(error)
            raise Unreachable("cluster", f"the Kubernetes API does not answer: {cause}") from None


def _are_objects(items: Any) -> bool:
    """Whether these are objects of Kubernetes, as far as that each has a name."""
    return isinstance(items, list) and all(
        isinstance(item, dict) and isinstance(item.get("metadata"), dict) for item in items
    )


def path_of(api_version: str, plural: str, namespace: str | None, name: str | None = None) -> str:
    """The path of a collection, or of one object in it (Kubernetes API concepts, "Resource URIs")."""
    parts = [f"/api/{api_version}" if "/" not in api_version else f"/apis/{api_version}"]
    if namespace is not None:
        parts += ["namespaces", quote(namespace, safe="")]
    parts.append(plural)
    if name is not None:
        parts.append(quote(name, safe=""))
    return "/".join(parts)


def _refusal(what: str, error: ApiException, hindrance: str | None) -> ApiRefused | Unreachable:
    status = int(error.status or 0)
    if status == 0:
        # How the kubernetes package says that TLS failed; a way that leads nowhere looks like that, too.
        return Unreachable("cluster", hindrance or f"TLS fails: {shortened(str(error.reason), 300)}")
    body = str(error.body or "")
    try:
        answer = json.loads(body)
        reason, message = str(answer.get("reason") or error.reason), str(answer.get("message") or "")
    except (ValueError, AttributeError):
        reason, message = str(error.reason), shortened(printable(body.encode()), 300)
    if status == 401:
        return Unreachable("cluster", f"the Kubernetes API does not accept the kubeconfig's login: {message}")
    return ApiRefused(what, status, reason, message)


def _cut_off(error: ProtocolError | ApiException) -> str | None:
    """How the connection ended before an answer came; None for anything else.

    The kubernetes package tells as status 0 that TLS failed (kubernetes/client/rest.py). A handshake that is
    cut off sent no request; any other failure of TLS is the same the second time.
    """
    if isinstance(error, ProtocolError):
        return shortened(str(error), 300)
    if error.status == 0 and "EOF" in str(error.reason):
        return f"TLS was cut off: {shortened(str(error.reason), 300)}"
    return None


def _cause(error: HTTPError) -> str:
    inner = getattr(error, "reason", None) or error
    return shortened(str(inner), 300) or type(error).__name__
