from __future__ import annotations

import subprocess
import tomllib
from typing import TYPE_CHECKING

import pytest

from simlab import release
from simlab.layout import Layout
from simlab.release import paths, versions
from tests.simlab.node.released import install

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    lab = Layout(tmp_path)
    install(lab)
    return lab


def on_host(layout: Layout, path: str) -> Path:
    return layout.host / path.lstrip("/")


def test_every_configuration_is_toml(layout: Layout) -> None:
    names = sorted(path.name for path in on_host(layout, paths.CONFIGURATIONS).glob("*.toml"))
    assert names == [
        "configuration-clh-tdx.toml",
        "configuration-clh.toml",
        "configuration-qemu-sev.toml",
        "configuration-qemu-tdx.toml",
        "configuration-qemu.toml",
        "configuration.toml",
    ]
    for name in names:
        assert tomllib.loads((on_host(layout, paths.CONFIGURATIONS) / name).read_text())["image"]


def test_the_guides_anchor_for_kernel_parameters_is_there_with_its_blank(layout: Layout) -> None:
    text = (on_host(layout, paths.CONFIGURATIONS) / "configuration-qemu-sev.toml").read_text()
    assert text.count('agent.enable_signature_verification=false "') == 1


def test_each_runtime_class_has_a_handler_with_its_own_configuration(layout: Layout) -> None:
    config = tomllib.loads(on_host(layout, paths.CONTAINERD_CONFIG).read_text())
    runtimes = config["plugins"]["io.containerd.grpc.v1.cri"]["containerd"]["runtimes"]
    assert set(runtimes) == {"runc", *versions.DEFAULT.runtime_classes}
    for name in versions.DEFAULT.runtime_classes:
        assert runtimes[name]["cri_handler"] == "cc"
        configuration = runtimes[name]["options"]["ConfigPath"]
        assert on_host(layout, configuration).exists(), configuration
        assert on_host(layout, f"{paths.SHIM_LINKS}/containerd-shim-{name}-v2").is_symlink()


def test_a_second_installation_keeps_the_first_backup_and_brings_the_stock_initrd_back(
    layout: Layout,
) -> None:
    config = on_host(layout, paths.CONTAINERD_CONFIG)
    backup = config.with_name("config.toml.bak")
    backup.write_text("the administrator's own\n")
    on_host(layout, paths.SEV_INITRD).write_bytes(b"the demo's")
    first = config.read_text()

    install(layout)

    assert config.read_text() == first
    assert backup.read_text() == "the administrator's own\n"
    assert on_host(layout, paths.SEV_INITRD).read_bytes().startswith(b"release's own")


def test_the_guides_containerd_is_extended_and_backed_up(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    release.configure_containerd(layout)
    install(layout)
    config = on_host(layout, paths.CONTAINERD_CONFIG)
    pause = 'sandbox_image = "registry.cn-hangzhou.aliyuncs.com/google_containers/pause:3.1"'
    assert pause in config.read_text()
    assert "kata" not in config.with_name("config.toml.bak").read_text()


def test_an_administrators_configuration_is_backed_up_and_extended(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    config = on_host(layout, paths.CONTAINERD_CONFIG)
    config.parent.mkdir(parents=True)
    config.write_text("version = 2\n")
    install(layout)
    assert config.with_name("config.toml.bak").read_text() == "version = 2\n"
    assert "runtimes.kata-qemu-sev]" in config.read_text()


def test_the_shim_tells_its_version_and_does_nothing_else(layout: Layout) -> None:
    shim = on_host(layout, paths.KATA_SHIM)
    told = subprocess.run([shim, "--version"], capture_output=True, text=True, check=True).stdout
    assert told == (
        'Kata Containers containerd shim (Golang): id: "io.containerd.kata.v2", version: 3.1.0-alpha1, '
        "commit: b91337afef54d94e7f6458a0d1548e921dab6ea0\n"
    )
    other = subprocess.run([shim, "--version", "start"], capture_output=True, text=True, check=False)
    assert (other.returncode, other.stdout) == (1, "")
