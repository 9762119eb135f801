"""Git over HTTP, for clones and fetches of repositories of one commit.

Source: git's Documentation/gitprotocol-http.txt and gitprotocol-pack.txt, version 0 of the protocol.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Final

from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from simlab.internet.git_objects import Snapshot

_ROUTE: Final = re.compile(r"/(?P<name>[\w.-]+/[\w.-]+?)(\.git)?/(?P<what>info/refs|git-upload-pack)")
_BRANCH: Final = "refs/heads/main"
_CAPABILITIES: Final = f"shallow side-band-64k no-progress symref=HEAD:{_BRANCH} agent=git/2.39"
_FLUSH: Final = b"0000"
# 65520 bytes a packet, less its length and the number of the band.
_BAND_BYTES: Final = 65515


def publish(root: Path, name: str, tag: str, snapshot: Snapshot) -> None:
    """Put a repository (`owner/name`) below `root`; its one commit is the branch `main` and the tag."""
    folder = root / name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "pack").write_bytes(snapshot.pack)
    refs = dict.fromkeys(("HEAD", _BRANCH, f"refs/tags/{tag}"), snapshot.commit)
    (folder / "refs.json").write_text(json.dumps(refs))


def is_for_git(request: web.Request) -> bool:
    """Whether a request is one of git's."""
    return _ROUTE.fullmatch(request.path) is not None


async def serve(request: web.Request, root: Path) -> web.Response:
    """Answer one of git's requests from the repositories below `root`."""
    route = _ROUTE.fullmatch(request.path)
    folder = root / route["name"] if route else root
    if route is None or ".." in route["name"] or not (folder / "pack").is_file():
        raise web.HTTPNotFound(text="Not Found\n")
    if route["what"] == "info/refs":
        if request.query.get("service") != "git-upload-pack":
            raise web.HTTPForbidden(text="Please upgrade your git client.\n")
        return _answer("advertisement", _advertisement(folder))
    return _answer("result", _result(folder, await request.read()))


def _answer(kind: str, body: bytes) -> web.Response:
    headers = {"Content-Type": f"application/x-git-upload-pack-{kind}", "Cache-Control": "no-cache"}
    return web.Response(body=body, headers=headers)


def _advertisement(folder: Path) -> bytes:
    lines, capabilities = [], f"\0{_CAPABILITIES}"
    for ref, commit in json.loads((folder / "refs.json").read_text()).items():
        lines.append(_packet(f"{commit} {ref}{capabilities}\n".encode()))
        capabilities = ""
    return _packet(b"# service=git-upload-pack\n") + _FLUSH + b"".join(lines) + _FLUSH


def _result(folder: Path, asked: bytes) -> bytes:
    packets = list(_packets(asked))
    commits = set(json.loads((folder / "refs.json").read_text()).values())
    wanted = {packet.split()[1].decode() for packet in packets if packet.startswith(b"want ")}
    if unknown := wanted - commits:
        return _packet(f"ERR upload-pack: not our ref {min(unknown)}\n".encode())
    # A commit without parents is nowhere cut off: the answer to a depth is an empty list.
    shallow = _FLUSH if any(packet.startswith(b"deepen ") for packet in packets) else b""
    if b"done" not in packets:
        return shallow + (_packet(b"NAK\n") if any(one.startswith(b"have ") for one in packets) else b"")
    pack = (folder / "pack").read_bytes()
    banded = any(packet.startswith(b"want ") and b"side-band-64k" in packet for packet in packets)
    if not banded:
        return shallow + _packet(b"NAK\n") + pack
    parts = (pack[start : start + _BAND_BYTES] for start in range(0, len(pack), _BAND_BYTES))
    return shallow + _packet(b"NAK\n") + b"".join(_packet(b"\x01" + part) for part in parts) + _FLUSH


def _packet(content: bytes) -> bytes:
    return b"%04x" % (len(content) + 4) + content


def _packets(data: bytes) -> Iterator[bytes]:
    """Packets without the line ends of their text; flushes are left out."""
    while data:
        try:
            length = int(data[:4], 16)
        except ValueError:
            raise web.HTTPBadRequest(text="bad packet length\n") from None
        if length > 4:
            yield data[4:length].removesuffix(b"\n")
        data = data[max(length, 4) :]
