"""An API that keeps what is written to it."""

from __future__ import annotations

import copy
from typing import Any

from simlab.kube.client import ApiError, ApiUnreachableError

Object = dict[str, Any]


class FakeApi:
    """Objects by path; `refuse` makes the next requests with that method fail."""

    def __init__(self) -> None:
        self.objects: dict[str, Object] = {}
        self.log: list[tuple[str, str]] = []
        self.unreachable = False

    async def get(self, path: str, **_: str) -> Object:
        return self._found("GET", path)

    async def create(self, path: str, body: Object) -> Object:
        self._reach("POST", path)
        full = f"{path}/{body['metadata']['name']}"
        if full in self.objects:
            raise ApiError(409, "AlreadyExists", f"{full} already exists")
        self.objects[full] = copy.deepcopy(body)
        return body

    async def patch(self, path: str, body: Object, kind: str = "") -> Object:
        found = self._found("PATCH", path.removesuffix("/status"))
        _merge(found, body)
        return copy.deepcopy(found)

    async def delete(self, path: str, body: Object) -> Object:
        self._found("DELETE", path)
        return self.objects.pop(path)

    def events(self) -> list[Object]:
        return [item for path, item in self.objects.items() if "/events/" in path]

    def _found(self, method: str, path: str) -> Object:
        self._reach(method, path)
        if path not in self.objects:
            raise ApiError(404, "NotFound", f"{path} not found")
        return self.objects[path]

    def _reach(self, method: str, path: str) -> None:
        self.log.append((method, path))
        if self.unreachable:
            raise ApiUnreachableError(f"{method} {path}: connection refused")


def _merge(target: Object, patch: Object) -> None:
    for key, value in patch.items():
        if isinstance(value, dict) and isinstance(target.get(key), dict):
            _merge(target[key], value)
        else:
            target[key] = copy.deepcopy(value)
