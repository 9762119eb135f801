from collections.abc import Callable

import pytest

from lab.errors import LabError
from lab.parsers.crictl import parse_images, parse_sandboxes, parse_used_images
from lab.parsers.docker import Attached, parse_network

NETWORK = """[{"Name": "simple-kbs_default", "Containers": {
  "0f": {"Name": "simple-kbs-db-1", "IPv4Address": "172.18.0.2/16", "IPv6Address": ""},
  "1c": {"Name": "simple-kbs-server-1", "IPv4Address": "172.18.0.3/16", "IPv6Address": ""}}}]"""

IMAGES = """{"images": [{"id": "sha256:0a", "repoTags": ["registry.k8s.io/pause:3.6"],
  "repoDigests": ["registry.k8s.io/pause@sha256:3d"], "size": "301773", "uid": null}]}"""

PODS = """{"items": [{"id": "3f2a", "metadata": {"name": "nginx", "uid": "u-1", "namespace": "default"},
  "state": "SANDBOX_READY"}]}"""

CONTAINERS = """{"containers": [{"id": "9b", "image": {"image": "registry.k8s.io/pause:3.6"},
  "imageRef": "sha256:0a", "state": "CONTAINER_RUNNING"}]}"""


def test_network() -> None:
    assert parse_network(NETWORK) == [
        Attached("simple-kbs-db-1", "172.18.0.2"),
        Attached("simple-kbs-server-1", "172.18.0.3"),
    ]
    assert parse_network('[{"Containers": {}}]') == parse_network('[{"Containers": null}]') == []


def test_images_and_sandboxes() -> None:
    assert [image.repo_tags for image in parse_images(IMAGES)] == [("registry.k8s.io/pause:3.6",)]
    assert parse_images('{"images": []}') == []
    assert parse_sandboxes(PODS) == {"3f2a": "u-1"}
    assert parse_used_images(CONTAINERS) == {"sha256:0a", "registry.k8s.io/pause:3.6"}
    assert parse_used_images('{"containers": null}') == set()


@pytest.mark.parametrize("parse", [parse_network, parse_images, parse_sandboxes, parse_used_images])
@pytest.mark.parametrize(
    "output", ["", "{", "[]x", "3", '{"images": 3, "items": 3, "containers": 3}', '[{"Containers": 3}]']
)
def test_what_is_not_their_json_is_refused(parse: Callable[[str], object], output: str) -> None:
    with pytest.raises(LabError, match="gave no list"):
        parse(output)
