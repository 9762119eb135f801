"""What the daemons' programs do to a host, and take back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from simlab import artifacts, release
from simlab.layout import Layout
from simlab.release import container_engine, containerd_configuration, kata_deploy, paths, versions
from simlab.release.files import Files

if TYPE_CHECKING:
    from pathlib import Path

KATA = versions.DEFAULT.kata


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    lab = Layout(tmp_path)
    release.configure_containerd(lab)
    (lab.host / "usr/local/bin").mkdir(parents=True)
    (lab.host / "etc/systemd/system").mkdir(parents=True)
    (lab.host / "opt/confidential-containers").mkdir(parents=True)
    return lab


@pytest.fixture
def files(layout: Layout) -> Files:
    """The mounts of both payloads' containers."""
    points = ("/etc/containerd/", "/opt/confidential-containers/", "/usr/local/bin/", "/etc/systemd/system/")
    return Files(
        {"/": layout.root / "container"} | {point: layout.host / point.strip("/") for point in points}
    )


@pytest.fixture
def built(layout: Layout) -> artifacts.Artifacts:
    found = artifacts.Artifacts(layout.world / "artifacts")
    found.folder.mkdir(parents=True)
    for path in found.by_host_path(KATA).values():
        path.write_bytes(b"release's own " + path.name.encode())
    return found


def start_installer(files: Files, built: artifacts.Artifacts) -> None:
    kata_deploy.install_artifacts(files, built, KATA)
    kata_deploy.link_shims(files, KATA)
    kata_deploy.configure_containerd(files, KATA)


def uninstall(files: Files) -> None:
    kata_deploy.remove_shims(files, KATA)
    kata_deploy.restore_containerd(files)
    kata_deploy.remove_artifacts(files, KATA)
    container_engine.uninstall(files)


def picture(layout: Layout) -> dict[str, bytes | str]:
    return {
        str(path.relative_to(layout.host)): str(path.readlink()) if path.is_symlink() else path.read_bytes()
        for path in layout.host.rglob("*")
        if path.is_symlink() or path.is_file()
    }


def test_an_uninstall_takes_back_an_installation(
    layout: Layout, files: Files, built: artifacts.Artifacts
) -> None:
    before = picture(layout)
    container_engine.install(files)
    start_installer(files, built)
    assert picture(layout) != before
    uninstall(files)
    assert picture(layout) == before
    # A mount point cannot be removed from inside of the container.
    assert (layout.host / "opt/confidential-containers").is_dir()
    assert not (layout.host / "opt/confidential-containers/bin").exists()


def test_a_second_start_of_the_install_pod_leaves_links_to_nothing_behind(
    layout: Layout, files: Files, built: artifacts.Artifacts
) -> None:
    before = picture(layout)
    start_installer(files, built)
    start_installer(files, built)
    uninstall(files)
    left = picture(layout).keys() - before.keys()
    assert f"{paths.SHIM_LINKS.lstrip('/')}/containerd-shim-kata-qemu-sev-v2" in left
    assert not (layout.host / paths.KATA_SHIM.lstrip("/")).exists()


def test_an_uninstall_loses_later_edits_of_containerds_configuration(
    layout: Layout, files: Files, built: artifacts.Artifacts
) -> None:
    config = layout.host / paths.CONTAINERD_CONFIG.lstrip("/")
    first = config.read_text()
    start_installer(files, built)
    config.write_text(config.read_text() + "# the administrator's edit\n")
    uninstall(files)
    assert config.read_text() == first


def test_a_path_without_a_mount_stays_in_the_container(layout: Layout, built: artifacts.Artifacts) -> None:
    before = picture(layout)
    start_installer(Files({"/": layout.root / "container"}), built)
    assert picture(layout) == before
    assert (layout.root / "container" / paths.SEV_INITRD.lstrip("/")).exists()


def test_an_empty_configuration_gets_runtimes_that_containerd_2_does_not_read() -> None:
    text = containerd_configuration.with_kata_runtimes("", KATA.shims)
    assert "[plugins.cri.containerd.runtimes.kata-qemu-sev]" in text
    assert containerd_configuration.with_kata_runtimes(text, KATA.shims) == text


def test_a_table_of_the_administrators_keeps_all_but_katas_path() -> None:
    table = 'plugins."io.containerd.grpc.v1.cri".containerd.runtimes.kata'
    own = f'version = 2\n[{table}]\n  runtime_type = "own"\n  [{table}.options]\n    ConfigPath = "/own"\n'
    text = containerd_configuration.with_kata_runtimes(own, KATA.shims)
    assert text.startswith(f'version = 2\n[{table}]\n  runtime_type = "own"\n  [{table}.options]\n')
    assert text.count(f"[{table}]") == 1
    assert "/own" not in text


def test_what_the_installer_copies_keeps_the_time_of_the_payloads_build(
    layout: Layout, files: Files, built: artifacts.Artifacts
) -> None:
    start_installer(files, built)
    for path in (f"{paths.CONFIGURATIONS}/configuration-qemu-sev.toml", *built.by_host_path(KATA)):
        status = files.at(path).stat()
        assert status.st_mtime < status.st_ctime - 3600, path
