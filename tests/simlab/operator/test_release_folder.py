"""A release's kustomizations, and what a lab of it begins with, are the same."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from simlab.release import versions

if TYPE_CHECKING:
    from pathlib import Path

    from simlab.release.versions.release import Release

FOLDERS = {"release": "release.yaml", "samples/ccruntime/default": "ccruntime.yaml"}
every_release = pytest.mark.parametrize("release", versions.RELEASES.values(), ids=list(versions.RELEASES))


def checkout(release: Release, folder: Path) -> Path:
    for name, data in release.operator_source().items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder / "config"


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed")
@pytest.mark.parametrize("folder", FOLDERS)
@every_release
def test_what_is_seeded_is_what_kubectl_renders(release: Release, folder: str, tmp_path: Path) -> None:
    command = ["kubectl", "kustomize", str(checkout(release, tmp_path) / folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    assert done.stdout == (release.folder / FOLDERS[folder]).read_text()


def test_the_deployments_name_the_images_of_their_releases() -> None:
    operator, proxy = "quay.io/confidential-containers/operator", "gcr.io/kubebuilder/kube-rbac-proxy"
    assert versions.RELEASES["0.3.0"].controller_images() == {
        # The tag v0.3.0 points at the image before it.
        "manager": f"{operator}:v0.2.0",
        "kube-rbac-proxy": f"{proxy}:v0.13.0",
    }
    assert versions.RELEASES["0.7.0"].controller_images() == {
        "manager": f"{operator}:v0.7.0",
        "kube-rbac-proxy": f"{proxy}:v0.13.1",
    }


@every_release
def test_the_sample_has_one_payload_for_both_hooks(release: Release) -> None:
    config = release.cc_runtime["spec"]["config"]
    assert config["preInstall"]["image"] == config["postUninstall"]["image"]
    assert config["payloadImage"].startswith(
        "quay.io/confidential-containers/runtime-payload:kata-containers-"
    )


def test_the_releases_differ_where_their_sources_do() -> None:
    old, new = versions.RELEASES["0.3.0"], versions.RELEASES["0.7.0"]
    assert set(new.runtime_classes) - set(old.runtime_classes) == {"kata-qemu-snp"}
    assert old.worker_label == {"node-role.kubernetes.io/worker": ""}
    assert new.worker_label == {"node.kubernetes.io/worker": ""}
