"""Reads a kubeconfig: who we are to a cluster's API, and how to know that it is the right one.

Only what a file can say is taken. A kubeconfig from a host under test must not name a program that the runner
then runs, so `exec` and `auth-provider` are refused.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import yaml

from lab.errors import Unreachable

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True)
class Access:
    """An API server's address, its authority, and our credentials. Bytes are PEM."""

    host: str
    port: int
    server_name: str
    authority: bytes | None
    verify: bool
    certificate: bytes | None = None
    key: bytes | None = field(default=None, repr=False)
    token: str | None = field(default=None, repr=False)


def parse_kubeconfig(data: bytes, where: str, read: Callable[[str], bytes]) -> Access:
    """The access that a kubeconfig's current context gives. `read` reads files that it names.

    Raises Unreachable("cluster", …) where the file does not say enough, or says what is not allowed.
    """
    try:
        config = yaml.safe_load(data)
        context = _named(config, "contexts", "context", config["current-context"])
        cluster = _named(config, "clusters", "cluster", context["cluster"])
        user = _named(config, "users", "user", context["user"])
        url = urlsplit(cluster["server"])
    except yaml.YAMLError as error:
        raise Unreachable("cluster", f"{where} is not YAML: {' '.join(str(error).split())}") from None
    except (KeyError, TypeError, AttributeError, StopIteration) as error:
        missing = f" (no {error})" if isinstance(error, KeyError) else ""
        raise Unreachable("cluster", f"{where} has no complete current context{missing}") from None
    for kind in ("exec", "auth-provider", "username"):
        if kind in user:
            raise Unreachable(
                "cluster", f"{where} logs in by {kind!r}; name one with a certificate or a token"
            )
    if url.scheme != "https" or not url.hostname:
        raise Unreachable(
            "cluster", f"{where} names the server {cluster['server']!r}, which is not https://…"
        )

    def content(section: dict[str, Any], key: str) -> bytes | None:
        if section.get(f"{key}-data"):
            try:
                return base64.b64decode(section[f"{key}-data"], validate=True)
            except (binascii.Error, ValueError):
                raise Unreachable("cluster", f"{where}: {key}-data is not base64") from None
        return read(section[key]) if section.get(key) else None

    token_file = user.get("tokenFile")
    token = read(token_file).decode().strip() if token_file else user.get("token")
    return Access(
        host=url.hostname,
        port=url.port or 443,
        server_name=cluster.get("tls-server-name") or url.hostname,
        authority=content(cluster, "certificate-authority"),
        verify=not cluster.get("insecure-skip-tls-verify", False),
        certificate=content(user, "client-certificate"),
        key=content(user, "client-key"),
        token=token,
    )


def _named(config: dict[str, Any], section: str, kind: str, name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(entry[kind] for entry in config[section] if entry["name"] == name)
    return found
