"""crictl, on the lists that the simulated containerd keeps under /var/lib/containerd/simlab."""

from __future__ import annotations

import argparse
import json
import re
import shutil
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from simlab.machine.tools import control, text

_LISTS: Final = Path("/var/lib/containerd/simlab")
_BLOBS: Final = Path("/var/lib/containerd/io.containerd.content.v1.content/blobs/sha256")
_SNAPSHOTS: Final = Path("/var/lib/containerd/io.containerd.snapshotter.v1.overlayfs/snapshots")
_ENDPOINT: Final = "unix:///run/containerd/containerd.sock"
# cri-tools, cmd/crictl/display.go: columns of at least 20, padded by 3.
_COLUMN: Final = 20

_CONDITIONS: Final = ("RuntimeReady", "NetworkReady")
_CONTAINER_STATES: Final = {
    "CONTAINER_CREATED": "Created",
    "CONTAINER_RUNNING": "Running",
    "CONTAINER_EXITED": "Exited",
}
_POD_STATES: Final = {"SANDBOX_READY": "Ready", "SANDBOX_NOTREADY": "NotReady"}


def main() -> int:
    """Carry out one command; returns the exit status."""
    options = _parse()
    for endpoint in filter(None, (options.runtime_endpoint, options.image_endpoint)):
        if endpoint.removeprefix("unix://") != _ENDPOINT.removeprefix("unix://") or not _answers():
            return _fatal(
                f"connect: connect endpoint '{endpoint}', make sure you are running as root and the endpoint"
                " has been started: context deadline exceeded"
            )
    return int(options.run(options))


def info(_options: argparse.Namespace) -> int:
    """Print the CRI plugin's status with what it tells of itself (cri-tools, cmd/crictl/info.go)."""
    ready = [{"type": kind, "status": True, "reason": "", "message": ""} for kind in _CONDITIONS]
    return _print_json(
        {"status": {"conditions": ready}, "config": _read("config")[0], "lastCNILoadStatus": "OK"}
    )


def images(options: argparse.Namespace) -> int:
    """List images, or those of one repository."""
    found = [image for image in _read("images") if _matches(image, options.filter)]
    if options.output == "json":
        return _print_json({"images": found})
    if options.quiet:
        return _print("".join(f"{image['id']}\n" for image in found))
    rows = [("IMAGE", "TAG", "IMAGE ID", "SIZE")]
    for image in found:
        for reference in image.get("repoTags") or ["<none>:<none>"]:
            name, _, tag = reference.rpartition(":")
            short = image["id"].removeprefix("sha256:")[:13]
            rows.append((name, tag, short, text.size(int(image["size"]))))
    return _print(text.table(rows, _COLUMN))


def pull(options: argparse.Namespace) -> int:
    """Pull an image for the host itself, past any RuntimeClass (cri-tools, cmd/crictl/image.go)."""
    try:
        pulled = control.ask("cri-pull", image=options.image)
    except control.RefusedError as refused:
        return _fatal(f"pulling image: {refused}")
    return _print(f"Image is up to date for {pulled}\n")


def remove_images(options: argparse.Namespace) -> int:
    """Remove images by id or name, with all their names (cri-tools, cmd/crictl/image.go)."""
    failed = 0
    for wanted in options.images:
        found = _read("images")
        names = [image for image in found if wanted == image["id"] or _matches(image, wanted)]
        if not names:
            failed |= _fatal(f"unable to remove the image(s): no such image {wanted}")
            continue
        gone = names[0]
        _write("images", [image for image in found if image is not gone])
        _collect(gone["id"])
        for name in gone.get("repoTags") or [gone["id"]]:
            _print(f"Deleted: {name}\n")
    return failed


def _collect(image_id: str) -> None:
    """Delete what no image names any more, as containerd's garbage collection does with a removal."""
    contents = _read("contents")
    left = [item for item in contents if item["id"] != image_id]
    named = {blob for item in left for blob in item["blobs"]}
    for blob in (blob for item in contents if item["id"] == image_id for blob in item["blobs"]):
        if blob not in named:
            (_BLOBS / blob.removeprefix("sha256:")).unlink(missing_ok=True)
    _write("contents", left)
    shutil.rmtree(_SNAPSHOTS / image_id.removeprefix("sha256:")[:12], ignore_errors=True)


def containers(options: argparse.Namespace) -> int:
    """List containers that run, or all."""
    pods = {pod["id"]: pod for pod in _read("sandboxes")}
    found = [
        container
        for container in _newest_first(_read("containers"))
        if options.all or container["state"] == "CONTAINER_RUNNING"
    ]
    if options.output == "json":
        return _print_json({"containers": found})
    if options.quiet:
        return _print("".join(f"{container['id']}\n" for container in found))
    rows = [("CONTAINER", "IMAGE", "CREATED", "STATE", "NAME", "ATTEMPT", "POD ID", "POD")]
    for container in found:
        pod = pods.get(container["podSandboxId"], {"metadata": {"name": "unknown"}})
        rows.append(
            (
                container["id"][:13],
                container["imageRef"].removeprefix("sha256:")[:13],
                _ago(container),
                _CONTAINER_STATES.get(container["state"], "Unknown"),
                container["metadata"]["name"],
                str(container["metadata"].get("attempt", 0)),
                container["podSandboxId"][:13],
                pod["metadata"]["name"],
            )
        )
    return _print(text.table(rows, _COLUMN))


def pods(options: argparse.Namespace) -> int:
    """List pod sandboxes."""
    # cri-tools, cmd/crictl/sandbox.go: both filters are regular expressions.
    found = [
        pod
        for pod in _newest_first(_read("sandboxes"))
        if re.search(options.name, pod["metadata"]["name"])
        and re.search(options.namespace, pod["metadata"]["namespace"])
    ]
    if options.output == "json":
        return _print_json({"items": found})
    if options.quiet:
        return _print("".join(f"{pod['id']}\n" for pod in found))
    rows = [("POD ID", "CREATED", "STATE", "NAME", "NAMESPACE", "ATTEMPT", "RUNTIME")]
    for pod in found:
        meta = pod["metadata"]
        rows.append(
            (
                pod["id"][:13],
                _ago(pod),
                _POD_STATES.get(pod["state"], "Unknown"),
                meta["name"],
                meta["namespace"],
                str(meta.get("attempt", 0)),
                pod.get("runtimeHandler") or "(default)",
            )
        )
    return _print(text.table(rows, _COLUMN))


def _read(name: str) -> list[dict[str, Any]]:
    try:
        found: list[dict[str, Any]] = json.loads((_LISTS / f"{name}.json").read_text())
    except FileNotFoundError:
        return []
    return found


def _write(name: str, items: list[dict[str, Any]]) -> None:
    new = _LISTS / f"{name}.new"
    new.write_text(json.dumps(items, indent=1))
    new.replace(_LISTS / f"{name}.json")


def _answers() -> bool:
    """Return whether containerd, a part of the node agent, runs."""
    try:
        return control.is_running("node")
    except control.RefusedError:
        return False


def _matches(image: dict[str, Any], wanted: str | None) -> bool:
    if wanted is None:
        return True
    references = [*(image.get("repoTags") or []), *(image.get("repoDigests") or [])]
    full = {wanted, f"docker.io/{wanted}", f"docker.io/library/{wanted}"}
    return any(
        reference in full or reference.rpartition(":")[0] in full or reference.partition("@")[0] in full
        for reference in references
    )


def _newest_first(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(items, key=lambda item: int(item["createdAt"]), reverse=True)


def _ago(item: dict[str, Any]) -> str:
    moment = datetime.fromtimestamp(int(item["createdAt"]) / 1e9, UTC)
    return f"{text.duration(text.age(moment))} ago"


def _print(output: str) -> int:
    sys.stdout.write(output)
    return 0


def _print_json(value: Any) -> int:
    return _print(json.dumps(value, indent=2) + "\n")


def _fatal(message: str) -> int:
    sys.stderr.write(f"FATA[0000] {message} \n")
    return 1


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="crictl")
    parser.add_argument("--runtime-endpoint", "-r", default=_ENDPOINT)
    parser.add_argument("--image-endpoint", "-i")
    parser.add_argument("--timeout", "-t")
    parser.add_argument("--debug", "-D", action="store_true")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def listing(holder: Any, names: tuple[str, ...], run: Any) -> argparse.ArgumentParser:
        sub: argparse.ArgumentParser = holder.add_parser(names[0], aliases=names[1:])
        sub.add_argument("--output", "-o", choices=("table", "json"), default="table")
        sub.add_argument("--quiet", "-q", action="store_true")
        sub.set_defaults(run=run)
        return sub

    telling = commands.add_parser("info")
    telling.add_argument("--output", "-o", choices=("json",), default="json")
    telling.set_defaults(run=info)
    image = commands.add_parser("image").add_subparsers(required=True, metavar="COMMAND")
    for holder, names in ((commands, ("images", "img")), (image, ("ls", "list"))):
        listing(holder, names, images).add_argument("filter", nargs="?", metavar="REPOSITORY[:TAG]")
    for holder in (commands, image):
        pulling = holder.add_parser("pull")
        pulling.add_argument("image", metavar="IMAGE")
        pulling.set_defaults(run=pull)
    for holder, name in ((commands, "rmi"), (image, "rm")):
        removing = holder.add_parser(name)
        removing.add_argument("images", nargs="+", metavar="IMAGE")
        removing.set_defaults(run=remove_images)
    listing(commands, ("ps",), containers).add_argument("--all", "-a", action="store_true")
    sandboxes = listing(commands, ("pods",), pods)
    sandboxes.add_argument("--name", default="", metavar="REGEXP")
    sandboxes.add_argument("--namespace", default="", metavar="REGEXP")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
