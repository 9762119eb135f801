"""References are completed as containerd and image-rs complete them."""

from __future__ import annotations

import pytest

from simlab.images.reference import Reference

DIGEST = "sha256:" + "a" * 64


@pytest.mark.parametrize(
    ("text", "complete"),
    [
        ("nginx", "docker.io/library/nginx:latest"),
        ("bitnami/nginx:1.22.0", "docker.io/bitnami/nginx:1.22.0"),
        ("docker.io/haosanzi/busybox-v1:encrypted", "docker.io/haosanzi/busybox-v1:encrypted"),
        ("quay.io/brancz/kube-rbac-proxy:v0.13.0", "quay.io/brancz/kube-rbac-proxy:v0.13.0"),
        ("localhost:5000/a/b", "localhost:5000/a/b:latest"),
        (f"bitnami/nginx@{DIGEST}", f"docker.io/bitnami/nginx@{DIGEST}"),
        (f"bitnami/nginx:1@{DIGEST}", f"docker.io/bitnami/nginx:1@{DIGEST}"),
    ],
)
def test_completion(text: str, complete: str) -> None:
    assert str(Reference.parse(text)) == complete


@pytest.mark.parametrize(
    "text", ["", "UPPER/case", "a/../b", "nginx:ba d", "nginx@sha256:short", "/", "a//b"]
)
def test_what_is_no_reference_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="invalid reference format"):
        Reference.parse(text)
