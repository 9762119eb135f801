"""`--provision=check` says what it would change, and the lab is the same after it as before."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.simlab.keeper import Keeper
from tests.whole import runs

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# All that a bare lab needs, in the guide's order.
NEEDED = """
add the repository of the newer kernel
update the kernel to 5.10
reboot into the new kernel
point the BaseOS repository at 8.5
downgrade grub to 1:2.02-106.0.1.an8
give every boot entry SEV's kernel parameters
reboot into SEV's kernel parameters
stop firewalld
set SELinux to permissive
install operator-sdk 1.23.0
install docker
start docker
start the local registry
set containerd's sandbox image to registry.cn-hangzhou.aliyuncs.com/google_containers/pause:3.1
label the SEV host's node as a worker
deploy the operator from {operator}/release?ref=v0.3.0
set the image of kube-rbac-proxy to quay.io/brancz/kube-rbac-proxy:v0.13.0
create the CcRuntime from {operator}/samples/ccruntime/default?ref=v0.3.0
install docker-compose-plugin
check out simple-kbs 0.1.1
start simple-kbs
add the key key_id1 to the KBS's database
install sevctl
export the SEV certificate chain
fetch the online-KBC initrd
fetch the offline-KBC initrd
""".format(operator="github.com/confidential-containers/operator/config")


@pytest.fixture
def bare(tmp_path: Path) -> Iterator[Keeper]:
    with Keeper(tmp_path / "bare", "--stage", "bare") as keeper:
        yield keeper


def test_check_lists_what_is_needed_and_changes_nothing(bare: Keeper) -> None:
    before = runs.picture(bare)
    checked = runs.run(bare, "--provision=check")
    assert runs.differences(before, runs.picture(bare)) == {}

    listed = [entry["name"] for entry in checked.operations(changed=True)]
    assert listed == NEEDED.strip().splitlines()
    verdicts = {each["verdict"] for each in checked.results["scenarios"]}
    assert verdicts <= {"passed", "failed", "not proven"}, checked.output
    assert f"0 changed, {len(listed)} would change" in checked.output
