from __future__ import annotations

import pytest

from lab.docker import server_fault
from lab.record import MemoryRecord
from tests.lab.said import Answer, SayingHost

CLIENT, SERVER = "docker --version", "docker version --format"
GONE = "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?"


@pytest.mark.parametrize(
    ("client", "server", "why"),
    [
        ("Docker version 20.10.21, build baeda1f\n", "20.10.21\n", None),
        ("Docker version 20.10.21, build baeda1f\n", (1, GONE), f"docker's server does not answer: {GONE}"),
        ("Docker version 20.10.21, build baeda1f\n", "\n", "docker's server tells no version: ''"),
        ("podman version 4.0.2\n", "4.0.2\n", "podman answers in docker's place (the package podman-docker)"),
        ((127, "docker: command not found"), (127, "docker: command not found"), "docker: command not found"),
    ],
)
def test_a_server_of_docker_s_answers_with_its_version(
    client: Answer, server: Answer, why: str | None
) -> None:
    record = MemoryRecord()
    fault = server_fault(SayingHost({CLIENT: client, SERVER: server}).as_host, record)
    assert (fault is None) == (why is None)
    assert why is None or why in str(fault)
    assert ("docker's server", "20.10.21") in record.evidences or fault
