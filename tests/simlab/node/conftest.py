from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.simlab.node.whole_lab import DEMO, OFFLINE_GUID, WholeLab

if TYPE_CHECKING:
    from collections.abc import Iterator

_KERNEL = "agent.config_file=/etc/agent-config.toml agent.enable_signature_verification=false"


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WholeLab]:
    """A lab with the certificate chain exported and both initrds downloaded, as in the guide's step four."""
    with WholeLab(tmp_path_factory.mktemp("lab")) as whole:
        whole.run("mkdir -p /opt/sev && sevctl export --full /opt/sev/cert_chain.cert")
        for kbc in ("online", "offline"):
            whole.run(f"wget -q {DEMO}/initrd.run.{kbc}-sev.img -O /root/{kbc}.img")
        yield whole


@pytest.fixture(scope="session")
def online() -> dict[str, str | int | bool]:
    """What the guide's online KBC changes in kata's configuration."""
    kbc = "agent.aa_kbc_params=online_sev_kbc::192.168.122.10:44444"
    return {"initrd": "/root/online.img", "kernel_params": f"{_KERNEL} {kbc}"}


@pytest.fixture(scope="session")
def offline() -> dict[str, str | int | bool]:
    """What the guide's offline KBC changes in kata's configuration."""
    return {
        "initrd": "/root/offline.img",
        "guest_pre_attestation_secret_guid": OFFLINE_GUID,
        "guest_pre_attestation_secret_type": "bundle",
    }
