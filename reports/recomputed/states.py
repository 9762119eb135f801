"""State clauses: what was found on the host and the cluster, held to the profile again."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

from lab.comparison import Comparison
from lab.fact import Fact
from lab.machine import AMD
from lab.services import RUNNING
from reports.recomputed.moment import Contradiction, Moment, require

if TYPE_CHECKING:
    from collections.abc import Callable

    from reports.model import Results


def _profile(*keys: str) -> Callable[[Results], Any]:
    def look(results: Results) -> Any:
        value: Any = results.profile
        for key in keys:
            value = value[key]
        return value

    return look


def _constant(value: Any) -> Callable[[Results], Any]:
    return lambda _results: value


def _of_lab_or_profile(image: str, *keys: str) -> Callable[[Results], Any]:
    return lambda results: (results.lab.get("images") or {}).get(image) or _profile(*keys)(results)


# By the step's phrase: what it compared, how, and with what.
STATES: Final[dict[str, tuple[tuple[str, str, Callable[[Results], Any]], ...]]] = {
    "the operating system is the profile's": (
        (
            "operating system",
            "is",
            lambda results: [results.profile["host"]["id"], results.profile["host"]["version"]],
        ),
    ),
    "the processor is AMD's and offers SEV": (("processor", "has all of", _constant([AMD, "sev"])),),
    "the running kernel is of the profile's series": (
        ("running kernel", "is a kernel of", _profile("host", "kernel")),
    ),
    "every URL of the BaseOS repository names the older release": (
        ("URLs of the BaseOS repository", "all name", _profile("host", "base_release")),
    ),
    "the running kernel has SEV's kernel parameters": (
        ("kernel parameters", "has all of", _profile("host", "kernel_arguments")),
    ),
    "there are ASIDs for encrypted guests": (("ASIDs", "is at least", _constant(1)),),
    "firewalld is inactive": (("firewalld", "is none of", _constant(sorted(RUNNING))),),
    "SELinux is not enforcing": (("SELinux", "is one of", _constant(["Disabled", "Permissive"])),),
    "docker is running, and its server answers": (("docker", "is", _constant("active")),),
    "containerd is running": (("containerd", "is", _constant("active")),),
    "containerd's sandbox image is the guide's mirror of it": (
        ("sandbox image", "is", _of_lab_or_profile("pause", "cluster", "pause_image")),
    ),
    "the cluster's Kubernetes is at least the profile's": (
        ("Kubernetes", "is a release since", _profile("cluster", "kubernetes")),
    ),
    "the SEV host's node has at least the profile's memory and vCPUs": (
        ("memory in bytes", "is at least", lambda results: results.profile["cluster"]["memory"] * 10**9),
        ("vCPUs", "is at least", _profile("cluster", "cpus")),
    ),
    "the SEV host's node runs the profile's container runtime": (
        ("container runtime", "begins with", lambda results: f"{results.profile['cluster']['runtime']}://"),
    ),
    "the operator's controller is that of the profile's release": (
        ("operator's manager", "is an image of", _profile("operator", "manager_image")),
    ),
    "the image of the controller's proxy is the profile's": (
        ("proxy's image", "is", _of_lab_or_profile("rbac_proxy", "operator", "rbac_proxy_image")),
    ),
    "simple-kbs is checked out at the profile's tag": (("simple-kbs' tag", "is", _profile("kbs", "tag")),),
}


def checks() -> dict[str, Callable[[Moment], None]]:
    """A check for each phrase, which raises Contradiction."""
    return {phrase: partial(_compared, wanted) for phrase, wanted in STATES.items()}


def _compared(wanted: tuple[tuple[str, str, Callable[[Results], Any]], ...], moment: Moment) -> None:
    kept = {each.get("what"): each for each in moment.here(Fact.COMPARISON) if isinstance(each, dict)}
    for what, relation, value in wanted:
        if what not in kept:
            raise Contradiction(f"its evidence does not tell the {what}")
        comparison = Comparison(what, kept[what].get("found"), relation, value(moment.results))
        require(
            comparison.holds,
            f"the {what} {relation} {comparison.wanted!r}, it says, and found was {comparison.found!r:.200}",
        )
