"""State clauses that rest on what a command on the host printed, read again from its transcript.

The commands are found by how they begin; a transcript is as lab/transcript.py writes it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from lab.boot import EFI_GRUB, KERNEL_OPTIONS
from lab.fact import Fact
from lab.node import repository_of
from lab.parsers.crictl import parse_images
from lab.parsers.docker import parse_containers, parse_network
from lab.parsers.grubby import parse_entries
from lab.parsers.kernel_log import parse_kernel_log
from lab.parsers.machine import missing_arguments, parse_module_switch
from lab.parsers.repositories import parse_repository_files
from lab.parsers.rpm import parse_kernel_release, parse_packages
from lab.registry import REGISTRY, VERSION
from lab.rpm_version import Evr
from reports.recomputed.moment import Contradiction, Moment, require

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_TRANSCRIPT: Final = re.compile(
    r"\$ [^\n]*\n(?P<said>.*?)(?:--- stderr\n.*)?--- exit code (?P<code>-?\d+) after .*", re.DOTALL
)
# What a transcript has in the place of the middle of a long output.
_CUT: Final = re.compile(r"^\[… \d+ characters …\]$", re.MULTILINE)


def said_by(transcripts: Iterable[Any], beginning: str, *, succeeded: bool = True) -> str | None:
    """What the newest command that begins so printed; None where none is among them. Raises Contradiction."""
    found = [each for each in transcripts if str(each).startswith(f"$ {beginning}")]
    transcript = _TRANSCRIPT.fullmatch(found[-1]) if found else None
    if transcript is None:
        return None
    code = int(transcript["code"])
    require(code == 0 or not succeeded, f"`{beginning}` ended with exit code {code}")
    return transcript["said"]


def printed(moment: Moment, beginning: str, *, succeeded: bool = True, before: bool = False) -> str:
    """What the newest command that begins so printed, in this step or also `before`. Raises Contradiction."""
    looked = moment.seen(Fact.COMMAND) if before else moment.here(Fact.COMMAND)
    said = said_by(looked, beginning, succeeded=succeeded)
    if said is None:
        raise Contradiction(f"its evidence does not show what `{beginning}` printed")
    return said


def _kernel_repository(moment: Moment) -> None:
    lab, profile = moment.results.lab, moment.results.profile
    url = (lab.get("sources") or {}).get("kernel_repository") or profile["host"]["kernel_repository"]
    repositories, _ = parse_repository_files(printed(moment, "awk ", succeeded=False))
    having = any(each.enabled and url.rstrip("/") in each.urls for each in repositories)
    require(having, f"no enabled repository has the URL {url}")


def _installed_kernel(moment: Moment) -> None:
    kernel = parse_kernel_release(printed(moment, "uname -r"))
    packages = parse_packages(printed(moment, "rpm --query ", succeeded=False))
    require(kernel in {each.evr for each in packages}, f"the running kernel {kernel} is of no package")


def _grub(moment: Moment) -> None:
    wanted = Evr.parse(moment.results.profile["host"]["grub"])
    packages = parse_packages(printed(moment, "rpm --query --all "))
    for each in packages:
        require(each.evr == wanted, f"{each.spec} is not at {wanted}")
    require(any(each.name.startswith(EFI_GRUB) for each in packages), f"no package {EFI_GRUB}* is installed")


def _boot_entries(moment: Moment) -> None:
    listed = printed(moment, "grubby --info=ALL")
    if KERNEL_OPTIONS in listed:
        variables = printed(moment, "grub2-editenv - list").splitlines()
        own = [each.partition("=")[2] for each in variables if each.startswith(f"{KERNEL_OPTIONS[1:]}=")]
        listed = listed.replace(KERNEL_OPTIONS, " ".join(own))
    entries, wanted = parse_entries(listed), moment.results.profile["host"]["kernel_arguments"]
    require(entries, "there is no boot entry")
    for each in entries:
        lacking = missing_arguments(each.arguments, wanted)
        require(not lacking, f"the boot entry of {each.kernel} lacks {' '.join(lacking)}")


def _sev_switch(moment: Moment) -> None:
    switch = printed(moment, "cat /sys/module/kvm_amd/parameters/sev")
    require(parse_module_switch(switch), f"kvm_amd's parameter sev is {switch.strip()!r:.20}")


def _firmware(moment: Moment) -> None:
    lines = [str(each) for each in moment.here(Fact.MEMORY_ENCRYPTION)]
    if not any(parse_kernel_log(each).firmware for each in lines):
        said = printed(moment, "sevctl show version")
        require(re.search(r"\d+\.\d+", said), f"sevctl tells no version of the firmware: {said!r:.80}")


def _sme(moment: Moment) -> None:
    lines = [str(each) for each in moment.here(Fact.MEMORY_ENCRYPTION)]
    require(lines, "its evidence has nothing of the kernel's log")
    if not any(parse_kernel_log(each).sme_active for each in lines):
        # A log that does not reach back to the boot tells nothing: there the processor's flags do.
        flags = printed(moment, "sed '/^$/q' /proc/cpuinfo", before=True).split()
        require("sme" in flags, "nothing shows that SME is active")


def _operator_sdk(moment: Moment) -> None:
    wanted = moment.results.profile["cluster"]["operator_sdk"]
    said = printed(moment, "operator-sdk version")
    told = re.search(r'operator-sdk version: "v?([^"]+)"', said)
    require(told and told[1] == wanted, f"operator-sdk tells {said.strip()!r:.80}, and not {wanted}")


def _registry_container(moment: Moment) -> None:
    containers = parse_containers(printed(moment, "docker ps --all "))
    require(
        any(each.is_up and ":5000->" in each.ports for each in containers), "no container publishes port 5000"
    )


def _registry_answers(moment: Moment) -> None:
    status, *lines = printed(moment, "curl ").splitlines() or [""]
    named = {
        name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)
    }
    require(status.split()[1:2] == ["200"], f"the registry answered {status!r:.80}")
    require(named.get(VERSION.lower()) == REGISTRY, f"what answered tells no {VERSION} {REGISTRY}")


def _told_by(command: str, beginning: str) -> Callable[[Moment], None]:
    def check(moment: Moment) -> None:
        said = printed(moment, command).strip()
        require(said.startswith(beginning), f"`{command}` tells no version, but: {said!r:.80}")

    return check


def _kbs_containers(moment: Moment) -> None:
    names = printed(moment, "docker ps --format ").split()
    for what in ("server_container", "database_container"):
        pattern = moment.results.profile["kbs"][what]
        found = [name for name in names if re.search(pattern, name)]
        require(
            len(found) == 1, f"one running container should be {pattern}, found {', '.join(found) or 'none'}"
        )


def _database_answers(moment: Moment) -> None:
    pattern = moment.results.profile["kbs"]["database_container"]
    attached = parse_network(printed(moment, "docker network inspect "))
    found = [each for each in attached if re.search(pattern, each.name) and each.address]
    require(found, f"no container {pattern} has an address in the KBS's network")
    require(any(sql["rows"] for sql in moment.here(Fact.SQL)), "the database answered nothing")


def _no_nginx(moment: Moment) -> None:
    reference = (moment.results.lab.get("images") or {}).get("nginx") or moment.results.profile["images"][
        "nginx"
    ]
    listed = printed(moment, "crictl ")
    if _CUT.search(listed):
        return  # of a list that is cut nothing can be told
    names = [name for image in parse_images(listed) for name in image.names]
    found = [name for name in names if repository_of(name) == repository_of(reference)]
    require(not found, f"the host has {', '.join(found)}")


PRINTED: Final[dict[str, Callable[[Moment], None]]] = {
    "an enabled repository has the URL of the newer kernel's": _kernel_repository,
    "the running kernel is that of an installed package": _installed_kernel,
    "all of grub's packages are at the profile's version": _grub,
    "every boot entry has SEV's kernel parameters": _boot_entries,
    "SEV is enabled": _sev_switch,
    "the SEV firmware tells the version of its API": _firmware,
    "SME is active": _sme,
    "operator-sdk tells the profile's version": _operator_sdk,
    "a container that is up publishes port 5000": _registry_container,
    "a registry answers on port 5000": _registry_answers,
    "docker compose tells its version": _told_by("docker compose version", "Docker Compose version "),
    "sevctl tells its version": _told_by("sevctl --version", "sevctl "),
    "one container of simple-kbs' server and one of its database are running": _kbs_containers,
    "the database answers at the address of its container": _database_answers,
    "the host's containerd has no nginx image": _no_nginx,
}
