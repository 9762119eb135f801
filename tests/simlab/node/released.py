"""A host on which the operator's two daemons have been, without a lab around it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simlab import artifacts
from simlab.release import container_engine, containerd_configuration, kata_deploy, paths, versions
from simlab.release.files import Files

if TYPE_CHECKING:
    from simlab.layout import Layout


def install(layout: Layout) -> None:
    """Do what the daemons do, with artefacts that only tell their names."""
    files, kata, built = Files.of_host(layout), versions.of(layout).kata, fake_artifacts(layout)
    container_engine.install(files)
    kata_deploy.install_artifacts(files, built, kata)
    kata_deploy.link_shims(files, kata)
    if not files.at(paths.CONTAINERD_CONFIG).exists():
        files.write(paths.CONTAINERD_CONFIG, containerd_configuration.default())
    kata_deploy.configure_containerd(files, kata)


def fake_artifacts(layout: Layout) -> artifacts.Artifacts:
    built = artifacts.Artifacts(layout.world / "artifacts")
    built.folder.mkdir(parents=True, exist_ok=True)
    for path in (built.firmware, built.kernel_sev, built.kernel, built.initrd_sev, built.image):
        path.write_bytes(b"release's own " + path.name.encode())
    return built
