"""Verdicts are computed again from evidence, and contradicted where it shows something else."""

from __future__ import annotations

import base64
import copy
import hashlib
import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from gherkin.parser import Parser
from gherkin.pickles.compiler import Compiler
from gherkin.token_scanner import TokenScanner

from lab.certificates import Roots, SoftwarePlatform, verify_chain
from lab.certificates.formats import PLATFORM_SIZE
from lab.launches import Inputs
from lab.loading import load_profile
from lab.verdict import Verdict
from reports.model import Evidence, Results, SessionFacts, StepResult
from reports.recomputed import recompute
from reports.recomputed.states import STATES
from reports.recomputed.verdicts import covers
from tests.lab.test_measurement import WITH_HASHES
from tests.reports.certified import ROOT, results, scenario

if TYPE_CHECKING:
    from pathlib import Path

PROFILE = load_profile(ROOT / "profiles/anolis-8.6-coco-0.3.0.toml").model_dump(mode="json")
FIRMWARE = hashlib.sha256(WITH_HASHES).hexdigest()
KERNEL, ONLINE, OFFLINE = "1" * 64, "2" * 64, "3" * 64
LAB = {
    "name": "sev-1",
    "images": {},
    "pins": {"firmware": FIRMWARE, "kernel": KERNEL},
    "files": {"initrd_online": {"sha256": ONLINE}, "initrd_offline": {"sha256": OFFLINE}},
}
APPEND = "quiet nr_cpus=4 agent.log=debug agent.aa_kbc_params=online_sev_kbc::192.0.2.1:44444"
INPUTS = Inputs(firmware=FIRMWARE, kernel=KERNEL, initrd=ONLINE, append=APPEND)
DIGEST = INPUTS.digest(WITH_HASHES)
OTHER = base64.b64encode(bytes(32)).decode()
ARGUMENTS = [
    "qemu", "-machine", "q35,confidential-guest-support=sev", "-kernel", "/k", "-initrd", "/i",
    "-append", APPEND,
    "-object", "sev-guest,id=sev,policy=0,kernel-hashes=on", "-drive", "if=pflash,file=/OVMF.fd",
]  # fmt: skip
LAUNCH = {"launch digest": DIGEST, "inputs": vars(INPUTS), "arguments": ARGUMENTS}
TOML = (
    '[hypervisor.qemu]\nfirmware = "/OVMF.fd"\nkernel = "/k"\ninitrd = "/i"\n'
    'kernel_params = "agent.log=debug agent.aa_kbc_params=online_sev_kbc::192.0.2.1:44444"\n'
)
OFFLINE_TOML = "[hypervisor.qemu]\n" + "".join(
    f'{key} = "{value}"\n' for key, value in PROFILE["kbc"]["offline"]["settings"].items()
)
READY = {
    "metadata": {"name": "p"},
    "spec": {"containers": [{}]},
    "status": {"phase": "Running", "containerStatuses": [{"ready": True, "restartCount": 0}]},
}
PENDING = {"metadata": {"name": "p"}, "spec": {"containers": [{}]}, "status": {"phase": "Pending"}}
ROW = {"fw_digest": DIGEST, "policy": 0, "fw_api_major": 1, "fw_api_minor": 42, "fw_build_id": 42}
SQL = {"statement": "SELECT", "rows": [ROW]}
OPEN = {
    "allowed_digests": [],
    "allowed_policies": [],
    "min_fw_api_major": 0,
    "min_fw_api_minor": 0,
    "allowed_build_ids": [],
}
THIS, ANOTHER = OPEN | {"allowed_digests": [DIGEST]}, OPEN | {"allowed_digests": [OTHER]}
NOT_VALID = "Policy validation failed: fw digest not valid"
OK, REFUSED = {"status": "OK", "text": ""}, {"status": "INTERNAL", "text": NOT_VALID}
NO_KEY = f"Failed\tFailed to pull image: {PROFILE['messages']['no_key']}"

Facts = list[tuple[str, Any]]


def judged(
    folder: Path, phrase: str, facts: Facts, firmwares: dict[str, bytes] | None = None, **fields: Any
) -> tuple[list[str], Results]:
    """What is said of a scenario that passed with one Then of this phrase, and saw these facts in it.

    A fact is a kind, or `KIND/NAME` where its evidence has another name than that.
    """
    evidence = []
    for number, (kind, body) in enumerate(facts):
        data, media_type = (
            (body, "application/octet-stream")
            if isinstance(body, bytes)
            else (body.encode(), "text/plain")
            if isinstance(body, str)
            else (json.dumps(body).encode(), "application/json")
        )
        file = folder / f"evidence-{number}"
        file.write_bytes(data)
        evidence.append(
            Evidence(
                name=kind.partition("/")[2] or kind,
                file=file.name,
                media_type=media_type,
                size=len(data),
                step=0,
                fact=kind.partition("/")[0],
            )
        )
    steps = [StepResult(keyword="Then", text=phrase, line=2, verdict=Verdict.PASSED)]
    run = results(
        scenario("s", "A-2.3", steps=steps, evidence=evidence),
        lab=LAB,
        profile=PROFILE | {"name": "anolis-8.6-coco-0.3.0"},
        **fields,
    )
    found = recompute(run, folder, firmwares if firmwares is not None else {FIRMWARE: WITH_HASHES})
    assert [*found.whole, *found.part, *found.signed] == ["A-2.3"]
    return found.problems, run


def changed(value: Any, *path: Any, to: Any) -> Any:
    whole = copy.deepcopy(value)
    part = whole
    for key in path[:-1]:
        part = part[key]
    part[path[-1]] = to
    return whole


def with_append(append: str) -> dict[str, Any]:
    launch: dict[str, Any] = changed(LAUNCH, "arguments", ARGUMENTS.index(APPEND), to=append)
    inputs = Inputs(**(vars(INPUTS) | {"append": append}))
    return launch | {"inputs": vars(inputs), "launch digest": inputs.digest(WITH_HASHES)}


LAUNCHED = ("launch", LAUNCH)
RUNNING = "the pod is Running, which K-1.5 proves"
AT_IMAGE = "the pod is refused at its image, for want of the decryption key"
AT_LAUNCH = f'the pod is refused at its launch with "{NOT_VALID}"'
RECORDED = "the KBS recorded the launch under the digest that the suite computes"
GIVES = "the KBS gives the key to that launch when the suite asks"
REFUSES = f'the KBS refuses the key to that launch with "{NOT_VALID}"'
KNOWN = "its launch digest is the known one"
GUEST = "its VM is an SEV guest"
INITRD = "its VM boots the online-KBC initrd that the node's configuration names"
NAMES = "its kernel parameters name the online KBC and the KBS's address"
NONE = "its kernel parameters name no KBC"
STARTED = "its VM was started with the firmware, kernel and initrd of its kata configuration"
ENDS = "its command line ends in its configuration's kernel parameters"

CASES: list[tuple[str, Facts, Facts]] = [
    ("the pod is Running", [("pod", READY)], [("pod", PENDING)]),
    (RUNNING, [("pod", PENDING), ("pod", READY)], [("pod", READY), ("pod", PENDING)]),
    (RUNNING, [("pod", READY)], [("pod", changed(READY, "status", "containerStatuses", to=[]))]),
    (RUNNING, [("pod", READY)], []),
    (RUNNING, [("pod", READY)], [("pod", [])]),
    (
        "both pods are Running, which W-3.3 proves",
        [("pod", READY), ("pod", changed(READY, "metadata", "name", to="q"))],
        [("pod", READY), ("pod", READY)],
    ),
    (
        AT_IMAGE,
        [("pod", PENDING), ("events", NO_KEY)],
        [("pod", PENDING), ("events", "Failed\tmanifest unknown")],
    ),
    (AT_IMAGE, [("pod", PENDING), ("events", NO_KEY)], [("pod", READY), ("events", NO_KEY)]),
    (
        "the pod is refused at its image, as the key does not decrypt it",
        [("pod", PENDING), ("events", f"Failed\t{PROFILE['messages']['not_decrypted']}: x")],
        [("pod", PENDING), ("events", NO_KEY)],
    ),
    (
        "the node's configuration asks for the launch secret of the offline KBC",
        [("kata-configuration", OFFLINE_TOML)],
        [("kata-configuration", OFFLINE_TOML.replace("bundle", "connection"))],
    ),
    (
        "its firmware, kernel and initrd are the files that the lab file pins",
        [LAUNCHED],
        [("launch", changed(LAUNCH, "inputs", "initrd", to="9" * 64))],
    ),
    (
        "its firmware, kernel and initrd are the files that the lab file pins",
        [LAUNCHED],
        [("launch", changed(LAUNCH, "inputs", "kernel", to="9" * 64))],
    ),
    (
        "no policy refuses the pod, which K-1.5 proves",
        [("pod", READY), ("events", "Pulled\tx")],
        [("pod", PENDING), ("events", f"x\t{NOT_VALID}")],
    ),
    (
        AT_LAUNCH,
        [LAUNCHED, ("policy", ANOTHER), ("pod", PENDING), ("events", f"x\t{NOT_VALID}")],
        [LAUNCHED, ("policy", THIS), ("pod", PENDING), ("events", f"x\t{NOT_VALID}")],
    ),
    (
        RECORDED,
        [LAUNCHED, ("sql", SQL)],
        [LAUNCHED, ("sql", changed(SQL, "rows", 0, "fw_digest", to=OTHER))],
    ),
    (
        RECORDED,
        [LAUNCHED, ("sql", SQL)],
        [("launch", changed(LAUNCH, "inputs", "kernel", to=OTHER)), ("sql", SQL)],
    ),
    (
        RECORDED,
        [LAUNCHED, ("sql", SQL)],
        [("launch", changed(LAUNCH, "inputs", "append", to="quiet")), ("sql", SQL)],
    ),
    (
        GIVES,
        [LAUNCHED, ("sql", SQL), ("kbs-call", OK)],
        [LAUNCHED, ("sql", SQL), ("kbs-call", REFUSED)],
    ),
    (
        GIVES,
        [LAUNCHED, ("policy", THIS), ("sql", SQL), ("kbs-call", OK)],
        [LAUNCHED, ("policy", ANOTHER), ("sql", SQL), ("kbs-call", OK)],
    ),
    (
        REFUSES,
        [LAUNCHED, ("policy", ANOTHER), ("sql", SQL), ("kbs-call", REFUSED)],
        [LAUNCHED, ("policy", THIS), ("sql", SQL), ("kbs-call", REFUSED)],
    ),
    (
        REFUSES,
        [LAUNCHED, ("policy", ANOTHER), ("sql", SQL), ("kbs-call", REFUSED)],
        [
            LAUNCHED,
            ("policy", ANOTHER),
            ("sql", SQL),
            ("kbs-call", {"status": "UNAVAILABLE", "text": NOT_VALID}),
        ],
    ),
    (KNOWN, [LAUNCHED, LAUNCHED], [LAUNCHED, ("launch", LAUNCH | {"launch digest": OTHER})]),
    (KNOWN, [LAUNCHED, LAUNCHED], [LAUNCHED]),
    (
        GUEST,
        [LAUNCHED],
        [
            (
                "launch",
                changed(LAUNCH, "arguments", ARGUMENTS.index("-object") + 1, to="memory-backend-ram,id=m"),
            )
        ],
    ),
    (INITRD, [LAUNCHED], [("launch", changed(LAUNCH, "inputs", "initrd", to=OFFLINE))]),
    (NAMES, [LAUNCHED], [("launch", with_append("quiet"))]),
    (NONE, [("launch", with_append("quiet"))], [LAUNCHED]),
    (
        STARTED,
        [("kata-configuration", TOML), LAUNCHED],
        [("kata-configuration", TOML.replace('"/i"', '"/other"')), LAUNCHED],
    ),
    (
        STARTED,
        [("kata-configuration", TOML), LAUNCHED],
        [("kata-configuration", TOML), ("launch", changed(LAUNCH, "inputs", "kernel", to=OTHER))],
    ),
    (
        ENDS,
        [("kata-configuration", TOML), LAUNCHED],
        [("kata-configuration", TOML.replace("agent.log=debug", "agent.log=info")), LAUNCHED],
    ),
]


@pytest.mark.parametrize(("phrase", "good", "bad"), CASES, ids=range(len(CASES)))
def test_evidence_that_shows_it_holds_and_other_evidence_contradicts(
    tmp_path: Path, phrase: str, good: Facts, bad: Facts
) -> None:
    assert judged(tmp_path, phrase, good)[0] == []
    (problem,), _ = judged(tmp_path, phrase, bad)
    assert problem.startswith(f"s, “{phrase}”: ")


FOUND: dict[str, Any] = {
    "URLs of the BaseOS repository": (
        ["https://m/anolis/8.5/BaseOS"],
        ["https://m/8.5/x", "https://m/8.6/x"],
    ),
    "operating system": (["anolis", "8.6"], ["anolis", "8.8"]),
    "processor": (["AuthenticAMD", "sev", "sme"], ["AuthenticAMD", "sme"]),
    "running kernel": ("5.10.134-13_rc2.an8", "5.100.1-1.an8"),
    "kernel parameters": (["quiet", "mem_encrypt=on", "kvm_amd.sev=1"], ["mem_encrypt=on"]),
    "ASIDs": (255, 0),
    "firewalld": ("inactive", "active"),
    "SELinux": ("Permissive", "Enforcing"),
    "docker": ("active", "failed"),
    "containerd": ("active", "inactive"),
    "sandbox image": (PROFILE["cluster"]["pause_image"], "registry.k8s.io/pause:3.6"),
    "Kubernetes": ("v1.24.8", "v1.23.17"),
    "memory in bytes": (33_000_000_000, 7_900_000_000),
    "vCPUs": (4.0, 2.0),
    "container runtime": ("containerd://1.6.6.0", "cri-o://1.24"),
    "operator's manager": ("mirror.example.org/operator:v0.2.0", "quay.io/operator:v0.3.0"),
    "proxy's image": (PROFILE["operator"]["rbac_proxy_image"], "gcr.io/kubebuilder/kube-rbac-proxy:v0.13.0"),
    "simple-kbs' tag": ("0.1.1", "0.1.2"),
}


@pytest.mark.parametrize("phrase", STATES)
def test_what_was_found_is_held_to_the_profile_again(tmp_path: Path, phrase: str) -> None:
    def facts(chosen: int) -> Facts:
        return [
            # The wanted value is the profile's, whatever the evidence says that it is.
            ("comparison", {"what": what, "found": FOUND[what][chosen], "relation": relation, "wanted": "?"})
            for what, relation, _ in STATES[phrase]
        ]

    assert judged(tmp_path, phrase, facts(0))[0] == []
    assert judged(tmp_path, phrase, facts(1))[0] != []
    assert judged(tmp_path, phrase, [])[0] != []


def test_a_certificate_chain_is_verified_again(tmp_path: Path) -> None:
    phrase = "every signature of the chain verifies, up to the platform vendor's root"
    chain = SoftwarePlatform().chain()
    platform = SessionFacts(platforms=[verify_chain(chain, Roots({})).identity(chain)])
    assert judged(tmp_path, phrase, [("certificate-chain", chain)], session=platform)[0] == []
    for other in (SoftwarePlatform().chain(), chain[:-1] + bytes([chain[-1] ^ 1]), b""):
        assert judged(tmp_path, phrase, [("certificate-chain", other)], session=platform)[0] != []
    forged = SoftwarePlatform().chain(forged_chip=True)
    identity = SessionFacts(platforms=[verify_chain(forged, Roots({})).identity(forged)])
    (problem,), _ = judged(tmp_path, phrase, [("certificate-chain", forged)], session=identity)
    assert "the CEK is not signed by the ASK" in problem


def test_the_chain_s_pdh_is_held_to_the_one_that_the_platform_reports(tmp_path: Path) -> None:
    phrase, chain = "the chain's PDH is the one that the platform reports", SoftwarePlatform().chain()
    own, other = (hashlib.sha256(each[:PLATFORM_SIZE]).hexdigest() for each in (chain, bytes(PLATFORM_SIZE)))
    kept = ("certificate-chain", chain)
    assert judged(tmp_path, phrase, [kept, ("pdh", f"SHA-256 {own}, by sevctl export")])[0] == []
    for facts in ([kept, ("pdh", f"SHA-256 {other}, by sevctl export")], [("pdh", own)], [kept]):
        assert judged(tmp_path, phrase, facts)[0] != []


def test_without_the_firmware_a_launch_digest_rests_on_what_was_told(tmp_path: Path) -> None:
    lie = [("launch", changed(LAUNCH, "inputs", "kernel", to=OTHER)), ("sql", SQL)]
    assert judged(tmp_path, RECORDED, lie)[0] != []
    assert judged(tmp_path, RECORDED, lie, firmwares={})[0] == []


@pytest.mark.parametrize(
    "launch",
    [
        changed(LAUNCH, "inputs", "vcpus", to=10**9),
        changed(LAUNCH, "inputs", "kernel", to=7),
        changed(LAUNCH, "inputs", to=[]),
        changed(LAUNCH, "arguments", to=["x"]),
        changed(LAUNCH, "arguments", to=None),
        [],
        "x",
    ],
    ids=range(7),
)
def test_evidence_of_another_form_is_told_and_no_traceback(tmp_path: Path, launch: Any) -> None:
    assert len(judged(tmp_path, RECORDED, [("launch", launch), ("sql", SQL)])[0]) == 1


@pytest.mark.parametrize("found", [None, 7, "", [], {"a": 1}], ids=range(5))
def test_a_finding_that_cannot_be_compared_does_not_hold(tmp_path: Path, found: Any) -> None:
    for phrase, compared in STATES.items():
        facts: Facts = [("comparison", {"what": what, "found": found}) for what, _, _ in compared]
        if phrase != "firewalld is inactive":
            assert judged(tmp_path, phrase, facts)[0] != [] or found == 7


def test_evidence_outside_of_the_run_is_not_read(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    (tmp_path / "secret").write_text("{}")
    _, run = judged(folder, RUNNING, [("pod", READY)])
    run.scenarios[0].evidence[0].file = "../secret"
    (problem,) = recompute(run, folder).problems
    assert "lies outside of the run" in problem


def test_every_phrase_that_is_computed_again_is_one_of_a_feature_and_told_in_the_documents() -> None:
    text = (ROOT / "docs/certification.md").read_text(encoding="utf-8")
    told = set(
        re.findall(r"^- (?:Then )?(.+?)$", text.partition("### What is computed again")[2], re.MULTILINE)
    )
    phrases = set()
    for file in (ROOT / "features").glob("*.feature"):
        document: Any = Parser().parse(TokenScanner(file.read_text(encoding="utf-8")))
        for pickle in Compiler().compile(document | {"uri": str(file)}):
            phrases |= {step["text"] for step in pickle["steps"] if covers(step["text"])}
    general = {re.sub(r"which [A-Z]-\d+\.\d+ proves", "which … proves", each) for each in phrases}
    general = {re.sub(r'with ".*"', 'with "…"', each) for each in general}
    general = {re.sub(r"the (online|offline)-KBC initrd", "the … KBC's initrd", each) for each in general}
    assert general == told
