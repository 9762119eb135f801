"""The release's kustomizations, and what the lab begins with, are the same."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest
import yaml

from simlab.operator import names, seed

if TYPE_CHECKING:
    from pathlib import Path

CONFIG = seed.SOURCE / "config"


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed")
@pytest.mark.parametrize(
    ("folder", "rendered"), [("release", seed.RELEASE), ("samples/ccruntime/default", seed.CC_RUNTIME)]
)
def test_what_is_seeded_is_what_kubectl_renders(folder: str, rendered: Path) -> None:
    command = ["kubectl", "kustomize", str(CONFIG / folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    assert done.stdout == rendered.read_text()


def test_the_deployment_names_the_two_images_of_the_guide() -> None:
    deployment = next(
        one for one in yaml.safe_load_all(seed.RELEASE.read_text()) if one["kind"] == "Deployment"
    )
    images = {one["name"]: one["image"] for one in deployment["spec"]["template"]["spec"]["containers"]}
    assert images == {
        "manager": f"quay.io/{':'.join(names.MANAGER_IMAGE)}",
        "kube-rbac-proxy": "gcr.io/kubebuilder/kube-rbac-proxy:v0.13.0",
    }


def test_the_sample_names_images_that_quay_has() -> None:
    config = yaml.safe_load(seed.CC_RUNTIME.read_text())["spec"]["config"]
    assert config["payloadImage"] == f"quay.io/{':'.join(names.RUNTIME_IMAGE)}"
    assert config["preInstall"]["image"] == f"quay.io/{':'.join(names.ENGINE_IMAGE)}"
    assert config["postUninstall"]["image"] == f"quay.io/{':'.join(names.ENGINE_IMAGE)}"
