"""State clauses are computed again from what commands printed and the API listed; edits of it are named."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from reports.model import Evidence, SessionFacts
from reports.recomputed import recompute
from reports.recomputed.objects import OBJECTS
from reports.recomputed.printed import PRINTED
from tests.reports.certified import results
from tests.reports.test_recomputed import PROFILE, changed, judged

if TYPE_CHECKING:
    from pathlib import Path

Facts = list[Any]  # kind and body, each

GRUB = "grub2-efi-x64\t1:2.02-106.0.1.an8\tx86_64\ngrub2-common\t1:2.02-106.0.1.an8\tnoarch\n"
KERNELS = "kernel\t0:5.10.134-13_rc2.an8\tx86_64\n"
REPOSITORY = (
    "#file /etc/yum.repos.d/k.repo\n[k]\nbaseurl=" + PROFILE["host"]["kernel_repository"] + "\nenabled=1\n"
)
ENTRY = 'index=0\nkernel="/boot/vmlinuz-5.10"\nargs="ro mem_encrypt=on kvm_amd.sev=1"\ntitle="Anolis"\n'
SME = "[    1.863927] AMD Memory Encryption Features active: SME"
FIRMWARE = "[    6.997400] ccp 0000:4b:00.1: SEV API:1.42 build:42"
SDK = 'operator-sdk version: "v1.23.0", commit: "1eaeb5a", kubernetes version: "1.24.2"\n'
REGISTRY = "9c99\tregistry:latest\tUp 6 seconds\t0.0.0.0:5000->5000/tcp\teager\n"
ANSWER = "HTTP/1.1 200 OK\nDocker-Distribution-Api-Version: registry/2.0\n"
NAMES = "eager\nsimple-kbs-db-1\nsimple-kbs-server-1\n"
NETWORK = '[{"Containers": {"1": {"Name": "simple-kbs-db-1", "IPv4Address": "172.18.0.2/16"}}}]\n'
IMAGES = '{"images": [{"id": "1", "repoTags": ["docker.io/library/busybox:1"]}]}\n'
NODE = {
    "metadata": {"name": "sev-1", "labels": {"node-role.kubernetes.io/worker": ""}},
    "spec": {},
    "status": {"conditions": [{"type": "Ready", "status": "True"}]},
}
DAEMONS = {
    "cc-operator-controller-manager-56cb": 2,
    "cc-operator-daemon-install": 1,
    "cc-operator-pre-install-daemon": 1,
}
PODS = [
    {
        "metadata": {"name": f"{name}-x", "ownerReferences": [{"name": name}]},
        "spec": {"nodeName": "sev-1"},
        "status": {"phase": "Running", "containerStatuses": [{"ready": True}] * containers},
    }
    for name, containers in DAEMONS.items()
]
RUNTIME = {
    "metadata": {"name": "ccruntime-sample"},
    "status": {"totalNodesCount": 1, "installationStatus": {"completed": {"completedNodesCount": 1}}},
}
HANDLERS = {name: name for name in PROFILE["runtime_classes"]}
UNKNOWN = {"status": "INTERNAL", "text": "Connection not found: no rows"}
KEY = [
    ("SELECT id FROM secrets WHERE secret_id = %s", ["key_id1"], [{"id": 10}]),
    ("SELECT LENGTH(FROM_BASE64(secret)) AS size FROM secrets", ["key_id1"], [{"size": 32}]),
    ("SELECT id … AND FROM_BASE64(secret) = FROM_BASE64(%s)", ["key_id1", "[secret]"], [{"id": 10}]),
    ("SELECT keysetid, kskeys, polid FROM keysets", ["KEYSET-1"], [{"kskeys": '["key_id1"]'}]),
]
STOCK: Facts = [("sql", {"statement": a, "parameters": b, "rows": c}) for a, b, c in KEY]
CONNECTED: Facts = [
    ["sql", {"statement": "SELECT id", "parameters": [], "rows": [{"id": "a", "fw_digest": "x"}]}],
    ["sql", {"statement": "SELECT id", "parameters": [], "rows": [{"id": "b", "fw_digest": "y"}]}],
    ["sql", {"statement": "SELECT COUNT", "parameters": ["a", "b"], "rows": [{"n": 2}]}],
]
IN_FORCE: Facts = [
    ["policy", {"id": 11}],
    ["sql", {"statement": "SELECT polid", "parameters": ["key_id1"], "rows": [{"polid": 11}]}],
    ["sql", {"statement": "… valid = 1", "parameters": [11], "rows": [{"id": 11}]}],
]


def ran(command: str, said: str, code: int = 0, stderr: str = "") -> tuple[str, str]:
    errors = f"--- stderr\n{stderr}\n" if stderr else ""
    return "command", f"$ {command}\n{said}{errors}--- exit code {code} after 0.02 s"


def one(command: str, good: str, *bad: str) -> tuple[Facts, list[Facts]]:
    """What a command printed, and what it must not have printed; that it failed, or that nothing is kept."""
    others: list[Facts] = [[ran(command, each)] for each in bad]
    return [ran(command, good)], [*others, [ran("other", good)], []]


RPM, GRUBBY = "rpm --query --all --queryformat 'x' 'grub2-*'", "grubby --info=ALL"
CASES: dict[str, tuple[Facts, list[Facts]]] = {
    "an enabled repository has the URL of the newer kernel's": one(
        "awk 'x' /etc/yum.repos.d/*.repo",
        REPOSITORY,
        REPOSITORY.replace("enabled=1", "enabled=0"),
        REPOSITORY.replace("kernel-5.10", "kernel-4.19"),
    ),
    "the running kernel is that of an installed package": (
        [ran("uname -r", "5.10.134-13_rc2.an8.x86_64\n"), ran("rpm --query kernel", KERNELS, 1)],
        [
            [ran("uname -r", "4.19.91-26.an8.x86_64\n"), ran("rpm --query kernel", KERNELS)],
            [ran("uname -r", "5.10.134-13_rc2.an8.x86_64\n"), ran("rpm --query kernel", "")],
        ],
    ),
    "all of grub's packages are at the profile's version": one(
        RPM,
        GRUB,
        GRUB.replace("common\t1:2.02-106", "common\t1:2.02-123"),
        "grub2-pc\t1:2.02-106.0.1.an8\tx86_64\n",
    ),
    "every boot entry has SEV's kernel parameters": one(
        GRUBBY, ENTRY, ENTRY + ENTRY.replace(" kvm_amd.sev=1", ""), ENTRY.replace("sev=1", "sev=0"), "\n"
    ),
    "SEV is enabled": one("cat /sys/module/kvm_amd/parameters/sev", "Y\n", "N\n", "\n"),
    "the SEV firmware tells the version of its API": (
        [("memory-encryption", FIRMWARE)],
        [[("memory-encryption", SME)], [ran("sevctl show version", "nothing\n")], []],
    ),
    "SME is active": ([("memory-encryption", SME)], [[("memory-encryption", FIRMWARE)], []]),
    "operator-sdk tells the profile's version": one("operator-sdk version", SDK, SDK.replace("1.23", "1.24")),
    "a container that is up publishes port 5000": one(
        "docker ps --all --no-trunc",
        REGISTRY,
        REGISTRY.replace("Up 6", "Exited 6"),
        REGISTRY.replace(":5000->", ":80->"),
    ),
    "a registry answers on port 5000": one(
        "curl --silent",
        ANSWER,
        ANSWER.replace("200 OK", "404 Not"),
        ANSWER.replace("registry/2.0", "x"),
        "\n",
    ),
    "docker compose tells its version": one(
        "docker compose version", "Docker Compose version v2.12.2\n", "podman\n"
    ),
    "sevctl tells its version": one("sevctl --version", "sevctl 0.4.3\n", "sh: sevctl\n"),
    "one container of simple-kbs' server and one of its database are running": one(
        "docker ps --format '{{.Names}}'",
        NAMES,
        NAMES + "simple-kbs-db-2\n",
        NAMES.replace("server", "other"),
    ),
    "the database answers at the address of its container": (
        [ran("docker network inspect simple-kbs_default", NETWORK), STOCK[0]],
        [
            [ran("docker network inspect simple-kbs_default", NETWORK.replace("-db", "-bd")), STOCK[0]],
            [
                ran("docker network inspect simple-kbs_default", NETWORK.replace("172.18.0.2/16", "")),
                STOCK[0],
            ],
            [ran("docker network inspect simple-kbs_default", NETWORK)],
        ],
    ),
    "the host's containerd has no nginx image": one(
        "crictl -r unix:///x images -o json",
        IMAGES,
        IMAGES.replace("library/busybox:1", "bitnami/nginx:1.22.0"),
        "{\n",
    ),
    "at least one node carries the worker label with an empty value": (
        [("objects/list Node", [NODE])],
        [
            [
                (
                    "objects/list Node",
                    changed([NODE], 0, "metadata", "labels", to={"node-role.kubernetes.io/worker": "x"}),
                )
            ],
            [("objects/list Pod", [NODE])],
        ],
    ),
    "the SEV host's node is Ready": (
        [("objects/list Node", [NODE])],
        [
            [("objects/list Node", changed([NODE], 0, "status", "conditions", 0, "status", to="False"))],
            [("objects/list Node", changed([NODE], 0, "spec", to={"unschedulable": True}))],
            [("objects/list Node", [])],
        ],
    ),
    "the controller, and on every worker both daemons, are Running with all containers ready": (
        [("objects/list Pod", PODS), ("objects/list Node", [NODE])],
        [
            [("objects/list Pod", PODS[1:]), ("objects/list Node", [NODE])],
            [("objects/list Pod", PODS[:2]), ("objects/list Node", [NODE])],
            [
                ("objects/list Pod", changed(PODS, 2, "status", "containerStatuses", 0, to={"ready": False})),
                ("objects/list Node", [NODE]),
            ],
            [
                ("objects/list Pod", PODS),
                ("objects/list Node", [NODE, changed(NODE, "metadata", "name", to="sev-2")]),
            ],
        ],
    ),
    "the one CcRuntime tells that it is installed on every node": (
        [("objects/list CcRuntime", [RUNTIME])],
        [
            [("objects/list CcRuntime", [RUNTIME, RUNTIME])],
            [("objects/list CcRuntime", changed([RUNTIME], 0, "status", "totalNodesCount", to=2))],
        ],
    ),
    "every RuntimeClass of the profile exists with the handler of its name": (
        [("objects/handlers of the RuntimeClasses", HANDLERS)],
        [
            [("objects/handlers of the RuntimeClasses", HANDLERS | {"kata-qemu-sev": "kata-qemu"})],
            [("objects/handlers of the RuntimeClasses", {"kata": "kata"})],
        ],
    ),
    "containerd has a configuration file that serves Kubernetes": (
        [("objects/containerd's configuration", {"disabled_plugins": []})],
        [[("objects/containerd's configuration", {"disabled_plugins": ["cri"]})], []],
    ),
    "the database holds the guide's key, and the guide's keyset lists it": (
        STOCK,
        [
            changed(STOCK, 1, to=("sql", changed(STOCK[1][1], "rows", to=[{"size": 31}]))),
            changed(STOCK, 2, to=("sql", changed(STOCK[2][1], "rows", to=[]))),
            changed(STOCK, 3, to=("sql", changed(STOCK[3][1], "rows", 0, "kskeys", to="[]"))),
            [STOCK[0], STOCK[1], STOCK[3]],
            [],
        ],
    ),
    "the KBS recorded two connections with different symmetric keys": (
        CONNECTED,
        [
            changed(CONNECTED, 2, 1, "rows", 0, "n", to=1),
            changed(CONNECTED, 2, 1, "parameters", to=["a", "c"]),
            changed(CONNECTED, 2, 1, "parameters", to=["a", "a"]),
            CONNECTED[:2],
        ],
    ),
    "the database gives that policy back as it was written": (
        IN_FORCE,
        [
            changed(IN_FORCE, 0, 1, "id", to=12),
            changed(IN_FORCE, 1, 1, "rows", 0, "polid", to=None),
            changed(IN_FORCE, 2, 1, "rows", to=[]),
            IN_FORCE[:2],
        ],
    ),
    "simple-kbs answers a request for a launch that it does not know with its own refusal": (
        [("kbs-call", UNKNOWN)],
        [[("kbs-call", UNKNOWN | {"status": "UNAVAILABLE"})], [("kbs-call", UNKNOWN | {"text": "x"})], []],
    ),
}


def test_every_look_that_is_computed_again_is_tried_here() -> None:
    assert set(CASES) == PRINTED.keys() | OBJECTS.keys()


@pytest.mark.parametrize("phrase", CASES)
def test_what_was_seen_is_judged_again_and_what_was_edited_is_named(tmp_path: Path, phrase: str) -> None:
    good, bad = CASES[phrase]
    assert judged(tmp_path, phrase, good)[0] == []
    for facts in bad:
        (problem,) = judged(tmp_path, phrase, facts)[0]
        assert problem.startswith(f"s, “{phrase}”: "), facts
        assert "not of the form" not in problem, problem


@pytest.mark.parametrize(
    ("component", "told"),
    [("kernel", "6.1.0"), ("operating system", "Anolis OS 8.8"), ("kata", "3.2.0, commit b91, SHA-256 00")],
)
def test_versions_are_held_to_what_the_host_printed(tmp_path: Path, component: str, told: str) -> None:
    kata = 'Kata … shim (Golang): id: "io.containerd.kata.v2", version: 3.1.0-alpha1, commit: b91\n'
    printed = {
        "a": ran("uname -r", "4.19\n")[1],
        "b": ran("uname -r", "5.10\n")[1],
        "c": ran("cat /etc/os-release", 'NAME="Anolis OS"\nPRETTY_NAME="Anolis OS 8.6"\n')[1],
        "d": ran("/usr/local/bin/containerd-shim-kata-qemu-sev-v2 --version", kata)[1],
    }
    for name, text in printed.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    kept = [
        Evidence(name=name, file=name, media_type="text/plain", size=1, fact="command") for name in printed
    ]
    versions = {
        "kernel": "5.10",
        "operating system": "Anolis OS 8.6",
        "kata": "3.1.0-alpha1, commit b91, SHA-256 00",
    }
    honest = results(versions=versions, session=SessionFacts(evidence=kept))
    assert recompute(honest, tmp_path).problems == []
    lying = results(versions=versions | {component: told}, session=SessionFacts(evidence=kept))
    (problem,) = recompute(lying, tmp_path).problems
    assert problem.startswith(f"the version of {component} is told as {told}, and the host printed ")


def test_a_command_that_failed_shows_nothing(tmp_path: Path) -> None:
    (problem,) = judged(
        tmp_path, "sevctl tells its version", [ran("sevctl --version", "sevctl 1\n", 127, "no")]
    )[0]
    assert "`sevctl --version` ended with exit code 127" in problem


def test_words_on_stderr_are_not_what_was_printed(tmp_path: Path) -> None:
    facts = [ran("sevctl --version", "", 0, "sevctl 0.4.3")]
    assert "tells no version" in judged(tmp_path, "sevctl tells its version", facts)[0][0]


def test_boot_entries_that_name_grub_s_variable_are_read_with_what_it_stands_for(tmp_path: Path) -> None:
    entry = ran(GRUBBY, ENTRY.replace("mem_encrypt=on kvm_amd.sev=1", "$kernelopts"))
    phrase = "every boot entry has SEV's kernel parameters"
    good = ran("grub2-editenv - list", "kernelopts=root=/dev/x mem_encrypt=on kvm_amd.sev=1\n")
    assert judged(tmp_path, phrase, [entry, good])[0] == []
    bad = ran("grub2-editenv - list", "kernelopts=root=/dev/x\n")
    assert "lacks mem_encrypt=on" in judged(tmp_path, phrase, [entry, bad])[0][0]


def test_of_a_log_that_does_not_reach_back_to_the_boot_the_processor_s_flags_tell(tmp_path: Path) -> None:
    nothing, flags = ("memory-encryption", "(no line about it in the log)"), "sed '/^$/q' /proc/cpuinfo"
    assert judged(tmp_path, "SME is active", [nothing, ran(flags, "flags\t: fpu sme sev\n")])[0] == []
    assert judged(tmp_path, "SME is active", [nothing, ran(flags, "flags\t: fpu sev\n")])[0] != []
