"""Who asks: client certificates and bearer tokens.

As a kube-apiserver with `--client-ca-file` and `--token-auth-file`.

Authorisation knows two cases: whoever is authenticated may do everything (RBAC objects are stored and not
evaluated), and who is not may read what `system:public-info-viewer` reads.
"""

from __future__ import annotations

import csv
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from simlab.kube.errors import ApiError, unauthorized

if TYPE_CHECKING:
    from pathlib import Path

    from aiohttp import web

_PUBLIC: Final = ("/healthz", "/livez", "/readyz", "/version")


@dataclass(frozen=True)
class User:
    """The name and groups under which a request is made."""

    name: str
    groups: tuple[str, ...]

    @property
    def anonymous(self) -> bool:
        """Whether the request came without credentials."""
        return self.name == "system:anonymous"


_ANONYMOUS: Final = User("system:anonymous", ("system:unauthenticated",))


def server_context(pki: Path) -> ssl.SSLContext:
    """Return the TLS side of the server.

    Its certificate, and client certificates of the cluster's CA welcome.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(pki / "apiserver.crt", pki / "apiserver.key")
    context.load_verify_locations(pki / "ca.crt")
    context.verify_mode = ssl.CERT_OPTIONAL
    return context


class Authenticator:
    """Says who asks. Tokens come from `tokens.csv` in the PKI folder, if it is there.

    Token,user,uid,"group,group".
    """

    def __init__(self, pki: Path) -> None:
        self._tokens: dict[str, User] = {}
        path = pki / "tokens.csv"
        if path.exists():
            with path.open(encoding="utf-8", newline="") as file:
                for row in csv.reader(file):
                    if len(row) >= 2:
                        groups = tuple(name for name in (row[3] if len(row) > 3 else "").split(",") if name)
                        self._tokens[row[0]] = User(row[1], (*groups, "system:authenticated"))

    def user(self, request: web.Request) -> User:
        """Return who asks; raises the 401 of a token that is not known."""
        certificate = request.get_extra_info("peercert")
        if certificate:
            subject = [pair for part in certificate.get("subject", ()) for pair in part]
            name = next((value for key, value in subject if key == "commonName"), "")
            groups = tuple(value for key, value in subject if key == "organizationName")
            return User(name, (*groups, "system:authenticated"))
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() == "bearer" and token.strip():
            user = self._tokens.get(token.strip())
            if user is None:
                raise unauthorized()
            return user
        return _ANONYMOUS


def authorize_path(user: User, path: str, verb: str) -> None:
    """Refuse a path that is no resource's to whoever may not read it; raises the 403."""
    if user.anonymous and not (path in _PUBLIC or path.startswith(("/livez/", "/readyz/", "/healthz/"))):
        text = f'forbidden: User "{user.name}" cannot {verb} path "{path}"'
        raise ApiError(403, "Forbidden", text, {})


def authorize_resource(user: User, verb: str, resource: str, group: str, namespace: str, name: str) -> None:
    """Refuse a request for a resource to whoever is not authenticated; raises the 403."""
    if not user.anonymous:
        return
    scope = f'in the namespace "{namespace}"' if namespace else "at the cluster scope"
    plural = resource.partition("/")[0]
    subject = f"{plural}.{group}" if group else plural
    if name:
        subject += f' "{name}"'
    why = f'User "{user.name}" cannot {verb} resource "{resource}" in API group "{group}" {scope}'
    details = {key: value for key, value in (("name", name), ("group", group), ("kind", plural)) if value}
    raise ApiError(403, "Forbidden", f"{subject} is forbidden: {why}", details)
