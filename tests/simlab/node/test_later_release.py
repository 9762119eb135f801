"""kata CC-0.7.0 where it differs from CC-0.3.0: configuration, command line, annotations, installer."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING

import pytest

from simlab.layout import Layout
from simlab.node.kata import config, pod_annotations
from simlab.node.kata.cmdline import kernel_parameters
from simlab.node.kata.errors import ShimError
from simlab.release import kata_deploy, paths, versions
from tests.simlab.node.node_host import SEV, edit, install

if TYPE_CHECKING:
    from pathlib import Path

    from simlab.node.host import Host

NEW = versions.RELEASES["0.7.0"]
URI = "guest_pre_attestation_kbs_uri"


@pytest.fixture
def host(tmp_path: Path) -> Host:
    layout = Layout(tmp_path)
    versions.write(layout, NEW.name)
    return install(layout)


def named(host: Host) -> list[str]:
    line = kernel_parameters(config.load(host, SEV)).split()
    return [parameter for parameter in line if parameter.startswith("agent.aa_kbc_params=")]


def test_the_shim_names_the_online_kbc_and_the_kbs_to_the_guest(host: Host) -> None:
    edit(host, SEV, "localhost:44444", "192.0.2.1:44444")
    assert named(host) == ["agent.aa_kbc_params=online_sev_kbc::192.0.2.1:44444"]
    edit(host, SEV, '"online"', '"offline"')
    assert named(host) == []


def test_what_the_toml_adds_comes_after_and_so_wins(host: Host) -> None:
    edit(
        host, SEV, "verification=false ", "verification=false agent.aa_kbc_params=online_sev_kbc::192.0.2.9:1"
    )
    assert [each.rpartition("::")[2] for each in named(host)] == ["localhost:44444", "192.0.2.9:1"]


def test_the_mode_decides_what_the_kbs_is_asked_for(host: Host) -> None:
    online = config.load(host, SEV)
    assert (online.guest_pre_attestation_secret_type, online.sev_guest_policy) == ("connection", 3)
    edit(host, SEV, '"online"', '"offline"')
    offline = config.load(host, SEV)
    assert offline.guest_pre_attestation_secret_type == "bundle"
    assert offline.guest_pre_attestation_secret_guid == "e6f5a162-d67f-4750-a67c-5d065f2a9910"


def test_the_older_releases_keys_mean_nothing_to_it(host: Host) -> None:
    edit(host, SEV, f'{URI} = "localhost:44444"', 'guest_pre_attestation_proxy = "localhost:44444"')
    assert config.load(host, SEV).kbs_uri == ""


def test_the_shim_on_the_host_decides_and_not_the_lab(host: Host) -> None:
    host.local(paths.KATA_SHIM).write_text(f"# {kata_deploy.mark(versions.DEFAULT.kata)}\n")
    assert config.load(host, SEV).kata == versions.DEFAULT.kata


def test_a_pod_may_set_its_kbs_its_policy_and_whether_it_is_attested(host: Host) -> None:
    prefix = "io.katacontainers.config"
    wanted = {
        f"{prefix}.pre_attestation.uri": "192.0.2.1:44444",
        f"{prefix}.pre_attestation.enabled": "false",
        f"{prefix}.sev.policy": "7",
    }
    found = pod_annotations.apply(config.load(host, SEV), wanted)
    assert (found.kbs_uri, found.guest_pre_attestation, found.sev_guest_policy) == (
        "192.0.2.1:44444",
        False,
        7,
    )
    for key, value in ((f"{prefix}.sev.policy", "x"), (f"{prefix}.pre_attestation.enabled", "maybe")):
        with pytest.raises(ShimError, match=f"Error parsing annotation {key}: .*invalid syntax"):
            pod_annotations.apply(config.load(host, SEV), {key: value})


def test_the_installer_gives_every_shim_a_runtime_and_the_firmware_its_new_name(host: Host) -> None:
    text = host.read_text(paths.CONTAINERD_CONFIG)
    runtimes = tomllib.loads(text)["plugins"]["io.containerd.grpc.v1.cri"]["containerd"]["runtimes"]
    assert set(NEW.runtime_classes) <= set(runtimes)
    assert (runtimes["kata-remote"]["cri_handler"], runtimes["kata-qemu-snp"]["cri_handler"]) == ("", "cc")
    assert tomllib.loads(host.read_text(SEV))["hypervisor"]["qemu"]["firmware"].endswith("/AMDSEV.fd")
    assert host.resolve(NEW.kata.firmware)
