"""The registry of the guide's step one, and docker's words when something is in the way."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.simlab.keeper import Keeper

RUN = "docker run -itd -p 5001:5000 --name own docker.io/library/registry:latest"
SECONDS = 10.0


@pytest.fixture
def own(lab: Keeper) -> Iterator[str]:
    """A container of the test's own; its id."""
    yield lab.output(RUN).strip()
    lab.run("docker rm -f own")


def inspect(lab: Keeper, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(lab.output(f"docker inspect {name}"))[0]
    return found


def await_answer(lab: Keeper, port: int) -> None:
    deadline = time.monotonic() + SECONDS
    while lab.run(f"curl -sSf http://localhost:{port}/v2/").exit_status:
        assert time.monotonic() < deadline, lab.output("docker ps -a")
        time.sleep(0.1)


def test_a_lab_begins_with_the_guides_registry(lab: Keeper) -> None:
    row = lab.output("docker ps --filter ancestor=docker.io/library/registry:latest --filter status=running")
    assert "0.0.0.0:5000->5000/tcp, :::5000->5000/tcp" in row
    assert "/entrypoint.sh /etc" in row
    assert json.loads(lab.output("curl -sSf http://localhost:5000/v2/_catalog")) == {"repositories": []}


def test_a_container_answers_and_has_no_restart_policy(lab: Keeper, own: str) -> None:
    await_answer(lab, 5001)
    found = inspect(lab, "own")
    assert found["Id"] == own
    assert found["HostConfig"]["RestartPolicy"] == {"Name": "no", "MaximumRetryCount": 0}
    bridge = json.loads(lab.output("docker network inspect bridge"))[0]
    assert own in bridge["Containers"]
    assert own not in json.loads(lab.output("docker network inspect simple-kbs_default"))[0]["Containers"]
    assert "own" not in lab.output("cd simple-kbs && docker compose ps")


def test_a_killed_container_stays_down_until_it_is_started(lab: Keeper, own: str) -> None:
    await_answer(lab, 5001)
    lab.output(f"kill -9 {inspect(lab, own)['State']['Pid']}")
    deadline = time.monotonic() + SECONDS
    while inspect(lab, own)["State"]["Status"] != "exited":
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert inspect(lab, own)["State"]["ExitCode"] == 137
    lab.output("docker start own")
    await_answer(lab, 5001)


def test_what_is_pushed_outlives_a_stop(lab: Keeper, own: str) -> None:
    await_answer(lab, 5001)
    upload = "http://localhost:5001/v2/mine/blobs/uploads/"
    empty = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    lab.output(f"curl -sSf -X POST '{upload}?digest={empty}'")
    lab.output(f"docker stop {own} && docker start {own}")
    await_answer(lab, 5001)
    config = {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": empty, "size": 0}
    manifest = json.dumps({"schemaVersion": 2, "config": config, "layers": []})
    lab.output(f"curl -sSf -X PUT http://localhost:5001/v2/mine/manifests/v1 -d '{manifest}'")
    assert "mine" in lab.output("curl -sSf http://localhost:5001/v2/_catalog")


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (
            "docker run -d -p 5000:5000 --name second registry",
            "Bind for 0.0.0.0:5000 failed: port is already allocated",
        ),
        (
            "docker run -d -p 6443:5000 --name second registry",
            "listen tcp4 0.0.0.0:6443: bind: address already in use",
        ),
        ("docker run -d --name second nobody/nothing:1", "pull access denied for nobody/nothing"),
        ("docker run -d --name second Registry", "invalid reference format"),
        ("docker run -d --name second bitnami/nginx:1.22.0", "has no program for bitnami/nginx:1.22.0"),
        (
            "docker run -d --name simple-kbs-db-1 registry",
            'The container name "/simple-kbs-db-1" is already in use',
        ),
        ("docker rm simple-kbs-db-1", "You cannot remove a running container"),
    ],
)
def test_docker_says_what_is_in_the_way(lab: Keeper, command: str, words: str) -> None:
    done = lab.run(command)
    lab.run("docker rm -f second")
    assert done.exit_status != 0
    assert words in str(done.stderr)
    assert "Traceback" not in str(done.stderr)
