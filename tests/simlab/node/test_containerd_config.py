from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from simlab.layout import Layout
from simlab.node.containerd import config
from simlab.node.rpc import RpcError
from tests.simlab.node.node_host import edit, install

if TYPE_CHECKING:
    from pathlib import Path

    from simlab.node.host import Host


@pytest.fixture
def host(tmp_path: Path) -> Host:
    host = install(Layout(tmp_path))
    config.start(host)
    return host


def test_release_is_confidential_until_it_starts_without_its_drop_in(host: Host) -> None:
    host.local("/etc/systemd/system/containerd.service.d/containerd-for-cc-override.conf").unlink()
    assert config.load(host).confidential
    config.start(host)
    assert not config.load(host).confidential


def test_an_edit_waits_for_the_next_start(host: Host) -> None:
    before = config.load(host)
    edit(host, config.PATH, before.sandbox_image, "example.org/pause:1")
    assert config.load(host) == before
    config.start(host)
    assert config.load(host).sandbox_image == "example.org/pause:1"


def test_a_file_without_a_version_names_the_plugin_shortly(host: Host) -> None:
    names = {"short": "cri", "long": '"io.containerd.grpc.v1.cri"'}
    tables = [f'[plugins.{name}]\nsandbox_image = "{image}"\n' for image, name in names.items()]
    host.local(config.PATH).write_text("".join(tables))
    config.start(host)
    assert config.load(host).sandbox_image == "short"
    host.local(config.PATH).write_text(f"version = 2\n{host.read_text(config.PATH)}")
    config.start(host)
    assert config.load(host).sandbox_image == "long"


def test_runtime_of_a_handler(host: Host) -> None:
    runtime = config.load(host).runtime("kata-qemu-sev")
    assert runtime.config_path.endswith("/configuration-qemu-sev.toml")
    passed = runtime.passed_through({"io.katacontainers.config_path": "/x", "other": "y"})
    assert passed == {"io.katacontainers.config_path": "/x"}
    assert config.load(host).runtime("").name == "runc"


def test_missing_runtime(host: Host) -> None:
    with pytest.raises(RpcError) as failure:
        config.load(host).runtime("gone")
    text = (
        'rpc error: code = Unknown desc = failed to get sandbox runtime: no runtime for "gone" is configured'
    )
    assert str(failure.value) == text


def test_malformed_file(host: Host) -> None:
    host.local(config.PATH).write_text("version = \n")
    with pytest.raises(RpcError, match="failed to load TOML"):
        config.start(host)
