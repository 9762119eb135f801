"""Kustomizations on a host whose kubectl is too old to render them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import yaml

from simlab.release import versions

if TYPE_CHECKING:
    from tests.simlab.keeper import Keeper

CONFIG = "github.com/confidential-containers/operator/config"
OLD = """\
#!/bin/sh
case $1 in
version) echo '{"clientVersion": {"major": "1", "minor": "20+"}}' ;;
*) echo "$@"; cat ;;
esac
"""


def with_old_kubectl(*arguments: str) -> str:
    call = (
        f"sys.argv[1:] = {list(arguments)!r}; kubectl._KUBECTL = '/tmp/old-kubectl'; sys.exit(kubectl.main())"
    )
    program = f"import sys; from simlab.machine.tools import kubectl; {call}"
    return f'PYTHONPATH=/usr/local/lib/simlab python3 -c "{program}"'


@pytest.fixture(autouse=True)
def _old_kubectl(lab: Keeper) -> None:
    done = lab.run("cat > /tmp/old-kubectl && chmod +x /tmp/old-kubectl", input=OLD)
    assert done.exit_status == 0


def test_the_lab_renders_what_an_old_kubectl_cannot(lab: Keeper) -> None:
    printed = lab.output(with_old_kubectl("apply", "-k", f"{CONFIG}/release?ref=v0.3.0", "--dry-run=client"))
    arguments, _, text = printed.partition("\n")
    assert arguments == "apply -f - --dry-run=client"
    assert list(yaml.safe_load_all(text)) == versions.DEFAULT.manifests


def test_a_folder_is_found_from_where_the_command_runs(lab: Keeper) -> None:
    lab.output("mkdir -p /tmp/own && echo '{resources: [map.yaml]}' > /tmp/own/kustomization.yaml")
    lab.output("echo '{apiVersion: v1, kind: ConfigMap, metadata: {name: own}}' > /tmp/own/map.yaml")
    printed = lab.output(f"cd /tmp && {with_old_kubectl('kustomize', 'own')}")
    assert yaml.safe_load(printed)["metadata"]["name"] == "own"


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("/root/nothing", "not a valid directory"),
        ("/etc", "unable to find one of 'kustomization.yaml'"),
        (f"{CONFIG}/release?ref=v9", "Remote branch v9 not found"),
        (f"{CONFIG}/release?ref=v0.3.0&timeout=0s", "hit 0s timeout running 'git clone"),
    ],
)
def test_what_cannot_be_rendered_is_one_error(lab: Keeper, target: str, words: str) -> None:
    done = lab.run(with_old_kubectl("delete", f"--kustomize={target}"))
    assert done.exit_status == 1
    assert words in str(done.stderr)
    assert "Traceback" not in str(done.stderr)
