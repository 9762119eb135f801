"""The fixtures of the API server's tests; what they hand out is in `world`."""

from __future__ import annotations

import itertools
import time
from typing import TYPE_CHECKING

import pytest

from tests.simlab.kube.world import START_SECONDS, Kube

if TYPE_CHECKING:
    from collections.abc import Iterator

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def kube(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kube]:
    """An API server with its controllers."""
    kube = Kube.start(tmp_path_factory.mktemp("kube"))
    kube.start_controllers()
    await_account(kube, "default")
    yield kube
    kube.stop()


def await_account(kube: Kube, namespace: str) -> None:
    """Wait until pods can be created in a namespace: its default service account is there."""
    deadline = time.monotonic() + START_SECONDS
    path = f"/api/v1/namespaces/{namespace}/serviceaccounts/default"
    while kube.request("GET", path).code != 200:
        assert time.monotonic() < deadline, "no default service account"
        time.sleep(0.02)


@pytest.fixture
def namespace(kube: Kube) -> str:
    """A namespace of the test's own, with its default service account."""
    name = f"test-{next(_numbers)}"
    kube.create("/api/v1/namespaces", {"metadata": {"name": name}})
    await_account(kube, name)
    return name


@pytest.fixture
def pods(namespace: str) -> str:
    """The path of the pods in the test's namespace."""
    return f"/api/v1/namespaces/{namespace}/pods"
