"""State clauses that rest on what the Kubernetes API listed, and on rows of the KBS's database."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from lab.broker import KEY_SIZE
from lab.containerd import CRI, SHORT_CRI
from lab.fact import Fact
from lab.operator import CONTROLLER, DAEMONS, installation_fault
from lab.pod_health import owned_by
from lab.worker_nodes import WorkerNode
from reports.recomputed.moment import Contradiction, Moment, require

if TYPE_CHECKING:
    from collections.abc import Callable


def _listed(moment: Moment, what: str) -> Any:
    """What this step saw of `what`, newest. Raises Contradiction."""
    found = moment.here(Fact.OBJECTS, name=what)
    if not found:
        raise Contradiction(f"its evidence does not have: {what}")
    return found[-1]


def _nodes(moment: Moment) -> list[WorkerNode]:
    return [WorkerNode(each) for each in _listed(moment, "list Node")]


def _workers(moment: Moment) -> list[WorkerNode]:
    label = moment.results.profile["cluster"]["worker_label"]
    return [node for node in _nodes(moment) if node.is_worker(label)]


def _worker_label(moment: Moment) -> None:
    require(_workers(moment), "no node carries the worker label with an empty value")


def _sev_host_ready(moment: Moment) -> None:
    named = (moment.results.lab.get("cluster") or {}).get("node")
    nodes = _nodes(moment)
    chosen = [node for node in nodes if node.name == named] if named else _workers(moment) or nodes
    require(len(chosen) == 1, f"{len(chosen)} nodes could be the SEV host")
    require(chosen[0].not_ready is None, f"{chosen[0].name}: {chosen[0].not_ready}")
    require(not chosen[0].cordoned, f"{chosen[0].name} is cordoned")


def _operator_pods(moment: Moment) -> None:
    pods = _listed(moment, "list Pod")
    owners = [(CONTROLLER, None, 2), *((name, node.name, 1) for node in _workers(moment) for name in DAEMONS)]
    for owner, node, containers in owners:
        running = any(
            owned_by(pod, owner) and node in (None, pod["spec"].get("nodeName")) and _runs(pod, containers)
            for pod in pods
        )
        require(
            running, f"no pod of {owner}{f' on {node}' if node else ''} is Running with all containers ready"
        )


def _runs(pod: dict[str, Any], containers: int) -> bool:
    status = pod.get("status") or {}
    states = status.get("containerStatuses") or []
    return (
        status.get("phase") == "Running"
        and len(states) == containers
        and all(state.get("ready") for state in states)
    )


def _installed(moment: Moment) -> None:
    runtimes = _listed(moment, "list CcRuntime")
    require(len(runtimes) == 1, f"there are {len(runtimes)} CcRuntimes")
    fault = installation_fault(runtimes[0])
    require(fault is None, fault or "")


def _runtime_classes(moment: Moment) -> None:
    handlers = _listed(moment, "handlers of the RuntimeClasses")
    for name in moment.results.profile["runtime_classes"]:
        require(handlers.get(name) == name, f"the RuntimeClass {name} has the handler {handlers.get(name)}")


def _containerd_file(moment: Moment) -> None:
    disabled = set(_listed(moment, "containerd's configuration")["disabled_plugins"]) & {CRI, SHORT_CRI}
    require(not disabled, f"containerd's configuration disables {', '.join(disabled)}")


def _stock_key(moment: Moment) -> None:
    kbs = moment.results.profile["kbs"]
    key, rows = kbs["key_id"], {}
    for sql in moment.here(Fact.SQL):
        if sql["parameters"][:1] in ([key], [kbs["keyset_id"]]):
            rows[sql["statement"]] = sql["rows"]
    sizes = [row["size"] for found in rows.values() for row in found if "size" in row]
    require(sizes == [KEY_SIZE], f"the secret {key} has {sizes or 'no'} bytes")
    require(all(rows.values()), f"a question about the secret {key} or its keyset has no answer")
    if kbs.get("published_key"):
        compared = [statement for statement in rows if "FROM_BASE64(secret) = FROM_BASE64" in statement]
        require(compared, f"nobody compared the secret {key} with the published key")
    keysets = [row["kskeys"] for found in rows.values() for row in found if "kskeys" in row]
    require(keysets and key in json.loads(keysets[-1]), f"the keyset {kbs['keyset_id']} does not list {key}")


def _kbs_refuses_unknown(moment: Moment) -> None:
    calls = moment.here(Fact.KBS_CALL)
    own = calls and calls[-1]["status"] == "INTERNAL" and calls[-1]["text"].startswith("Connection not found")
    require(own, "the KBS did not refuse the launch that it does not know in its own words")


def _keys_of_their_own(moment: Moment) -> None:
    asked = moment.here(Fact.SQL)
    recorded = {row["id"] for sql in asked for row in sql["rows"] if "fw_digest" in row}
    counted = [sql for sql in asked if sql["rows"] and "n" in sql["rows"][0]]
    require(counted, "nobody counted the connections' symmetric keys")
    ids, keys = counted[-1]["parameters"], counted[-1]["rows"][0]["n"]
    require(len(set(ids)) >= 2 and set(ids) <= recorded, "what was counted are not two recorded connections")
    require(keys == len(set(ids)), f"{len(set(ids))} connections have {keys} symmetric keys")


def _policy_in_force(moment: Moment) -> None:
    policy, asked = moment.newest(Fact.POLICY)["id"], moment.here(Fact.SQL)
    held = [row["polid"] for sql in asked for row in sql["rows"] if "polid" in row]
    require(held and held[-1] == policy, f"the secret is held to {held or 'nothing'}, and not to {policy}")
    valid = [
        sql["rows"] for sql in asked if sql["parameters"] == [policy] and "valid = 1" in sql["statement"]
    ]
    require(valid and valid[-1], f"the policy {policy} is not in force")


_UNKNOWN: Final = "simple-kbs answers a request for a launch that it does not know with its own refusal"
OBJECTS: Final[dict[str, Callable[[Moment], None]]] = {
    "at least one node carries the worker label with an empty value": _worker_label,
    "the SEV host's node is Ready": _sev_host_ready,
    "the controller, and on every worker both daemons, are Running with all containers ready": _operator_pods,
    "the one CcRuntime tells that it is installed on every node": _installed,
    "every RuntimeClass of the profile exists with the handler of its name": _runtime_classes,
    "containerd has a configuration file that serves Kubernetes": _containerd_file,
    "the database holds the guide's key, and the guide's keyset lists it": _stock_key,
    _UNKNOWN: _kbs_refuses_unknown,
    "the KBS recorded two connections with different symmetric keys": _keys_of_their_own,
    "the database gives that policy back as it was written": _policy_in_force,
}
