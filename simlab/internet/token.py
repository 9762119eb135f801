"""Bearer tokens of a registry: the challenge, the token service, the check.

Source: distribution's docs/spec/auth/token.md. Anybody gets a token to pull, an account one to push.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import json
import secrets
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import Mapping

_LIFETIME: Final = 300  # s, as Docker Hub's


@dataclass(frozen=True)
class Bearer:
    """The token service of one registry."""

    realm: str
    service: str
    accounts: Mapping[str, str] = field(default_factory=dict)
    _key: bytes = field(default_factory=lambda: secrets.token_bytes(32))

    def challenge(self, request: web.Request, repository: str) -> dict[str, str]:
        """Header that says where a token is to be had; see RFC 6750."""
        parts = [f'realm="{self.realm}"', f'service="{self.service}"']
        if repository:
            actions = {"GET": "pull", "HEAD": "pull", "DELETE": "delete"}.get(request.method, "pull,push")
            parts.append(f'scope="repository:{repository}:{actions}"')
        return {"WWW-Authenticate": f"Bearer {','.join(parts)}"}

    def allows(self, request: web.Request, repository: str) -> bool:
        """Tell whether the request brings a valid token for what it asks."""
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        granted = self._read(token) if scheme.lower() == "bearer" else None
        if granted is None:
            return False
        needed = {"GET": "pull", "HEAD": "pull", "DELETE": "delete"}.get(request.method, "push")
        return needed in granted["actions"] and (not repository or repository == granted["repository"])

    async def issue(self, request: web.Request) -> web.Response:
        """Answer the token service's one request."""
        login = self._login(request)
        if login is False:
            return web.json_response({"details": "incorrect username or password"}, status=401)
        kind, _, rest = request.query.get("scope", "").partition(":")
        repository = rest.rpartition(":")[0] if kind == "repository" else ""
        actions = ["pull", "push", "delete"] if login else ["pull"]
        claims = {"repository": repository, "actions": actions, "expires": time.time() + _LIFETIME}
        payload = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode()
        token = f"{payload}.{self._signature(payload)}"
        return web.json_response({"token": token, "access_token": token, "expires_in": _LIFETIME})

    def _login(self, request: web.Request) -> bool | None:
        """Whether the request brings a right login; None where it brings none."""
        scheme, _, pair = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "basic":
            return None
        try:
            user, _, password = base64.b64decode(pair, validate=True).decode().partition(":")
        except ValueError:
            return False
        return user in self.accounts and hmac.compare_digest(self.accounts[user], password)

    def _read(self, token: str) -> Mapping[str, Any] | None:
        payload, _, signature = token.partition(".")
        if not hmac.compare_digest(signature, self._signature(payload)):
            return None
        try:
            claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(payload))
        except (ValueError, binascii.Error):
            return None
        return claims if float(claims["expires"]) > time.time() else None

    def _signature(self, payload: str) -> str:
        return hmac.new(self._key, payload.encode(), "sha256").hexdigest()
