"""A lab on a real API server: `KUBEBUILDER_ASSETS=/folder ./test tests/simlab/kube`."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

from simlab.kube.version import GIT_VERSION
from tests.simlab.keeper import Keeper

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.skipif(
    not os.environ.get("KUBEBUILDER_ASSETS"), reason="KUBEBUILDER_ASSETS names no kube-apiserver and etcd"
)


@pytest.fixture(scope="module")
def real_lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Keeper]:
    with Keeper(tmp_path_factory.mktemp("real")) as keeper:
        yield keeper


def test_it_answers_and_the_operator_runs_on_it(real_lab: Keeper) -> None:
    version = json.loads(real_lab.output("kubectl get --raw /version"))
    assert version["gitVersion"] != GIT_VERSION
    pods = json.loads(real_lab.output("kubectl get pods --all-namespaces --output json"))["items"]
    assert {pod["status"]["phase"] for pod in pods} == {"Running"}
    assert "kata-qemu-sev" in real_lab.output("kubectl get runtimeclasses")


def test_its_objects_outlast_a_reboot(real_lab: Keeper) -> None:
    real_lab.output("kubectl create configmap kept --from-literal=key=value")
    real_lab.reboot()
    assert real_lab.output("kubectl get configmap kept --output jsonpath={.data.key}") == "value"
