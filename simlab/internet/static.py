"""Static files of a host on the simulated internet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

if TYPE_CHECKING:
    from pathlib import Path


async def serve(request: web.Request, root: Path, path: str) -> web.StreamResponse:
    """Answer with the file `path` below `root`; byte ranges, validators and HEAD are aiohttp's."""
    if request.method not in ("GET", "HEAD"):
        raise web.HTTPMethodNotAllowed(request.method, ["GET", "HEAD"])
    if (file := _find(root, path)) is None:
        raise web.HTTPNotFound(text=f"404 Not Found: {request.path}\n")
    return web.FileResponse(file, headers={"Content-Type": "application/octet-stream"})


def _find(root: Path, path: str) -> Path | None:
    file = (root / path.lstrip("/")).resolve()
    return file if file.is_relative_to(root.resolve()) and file.is_file() else None
