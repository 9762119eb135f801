"""The operator's images: each is a program of the lab's, named in the image's configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simlab.images import layer, oci
from simlab.images.layer import Entry
from simlab.images.reference import Reference
from simlab.images.store import Store
from simlab.operator import seed
from simlab.release import versions

if TYPE_CHECKING:
    from simlab.layout import Layout


def publish(layout: Layout) -> None:
    """Put the images where quay.io has them. gcr.io, the proxy's registry, is not on the lab's internet."""
    release = versions.of(layout)
    config = release.cc_runtime["spec"]["config"]
    scripts = "opt/confidential-containers-pre-install-artifacts/scripts"
    images = {
        release.controller_images()["manager"]: _image("manager", "manager"),
        seed.reachable_proxy(release): _image("rbac_proxy", "usr/local/bin/kube-rbac-proxy", entrypoint=True),
        config["payloadImage"]: _image("kata_deploy", "opt/kata-artifacts/scripts/kata-deploy.sh"),
        config["preInstall"]["image"]: _image(
            "container_engine", f"{scripts}/container-engine-for-cc-deploy.sh"
        ),
    }
    for name, image in images.items():
        reference = Reference.parse(name)
        Store(layout.registry / reference.registry).put_image(reference.repository, reference.tag, image)


def _image(module: str, program: str, *, entrypoint: bool = False) -> oci.Image:
    tar = layer.pack({program: Entry(f"acted for by simlab.operator.{module}\n".encode(), 0o755)})
    process = {
        "Labels": {"simlab.program": f"simlab.operator.{module}"},
        "WorkingDir": "/",
        **({"Entrypoint": [f"/{program}"]} if entrypoint else {}),
    }
    return oci.build([oci.Layer(layer.compress(tar), layer.digest(tar))], process)
