"""Whole runs of the suite on simulated labs of a test's own, and pictures of those labs."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from simlab import compose

if TYPE_CHECKING:
    from tests.simlab.keeper import Keeper

ROOT = Path(__file__).parents[2]
RUN_SECONDS = 600

# What a running system writes by itself: sockets and states of its daemons, logs, the certificate of
# a kubelet that started, and the byte code of the simulated programs.
VOLATILE = ("run", "var/log", "var/lib/kubelet/pki", "proc", "sys", "dev", "usr/local/lib/simlab")
# Their folders' times tell of files that came and went: those that nobody keeps.
SCRATCH = ("tmp", "var/tmp")

KINDS = (
    "nodes,namespaces,serviceaccounts,configmaps,secrets,pods,deployments,daemonsets,replicasets,services,"
    "runtimeclasses,customresourcedefinitions,clusterroles,clusterrolebindings,roles,rolebindings"
)
TABLES = ("secrets", "keysets", "policy", "conn_bundle", "resources")


@dataclass(frozen=True)
class Ran:
    """A run of the suite that is over."""

    exit_code: int
    output: str
    results: dict[str, Any]

    def operations(self, *, changed: bool) -> list[dict[str, Any]]:
        """The convergence's entries in the ledger, in their order."""
        scenarios = [entry for each in self.results["scenarios"] for entry in each["operations"]]
        entries = [*self.results["session"]["operations"], *scenarios]
        return [entry for entry in entries if entry["kind"] == "convergence" and entry["changed"] is changed]


def start(keeper: Keeper, *options: str) -> subprocess.Popen[str]:
    """Start the suite on a lab."""
    command = [sys.executable, "-m", "pytest", "-p", "no:randomly", "-p", "no:cacheprovider"]
    return subprocess.Popen(
        [*command, f"--lab={keeper.layout.lab_file}", *options],
        cwd=ROOT,
        env={name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def run(keeper: Keeper, *options: str) -> Ran:
    """Run the suite on a lab, to its end."""
    with start(keeper, *options) as process:
        output, _ = process.communicate(timeout=RUN_SECONDS)
    identifier = output.split("Conformance run ", 1)[1].split(":", 1)[0]
    results = json.loads((ROOT / "reports/runs" / identifier / "results.json").read_text())
    return Ran(process.returncode, output, results)


def picture(keeper: Keeper) -> dict[str, str]:
    """What there is of a lab: files, objects and rows, each with what it is."""
    return {**_files(keeper.layout.host), **_objects(keeper), **_rows(keeper)}


def differences(before: dict[str, str], after: dict[str, str]) -> dict[str, tuple[str | None, str | None]]:
    """What is other in the second picture."""
    names = sorted({*before, *after})
    return {
        name: (before.get(name), after.get(name)) for name in names if before.get(name) != after.get(name)
    }


def _files(root: Path) -> dict[str, str]:
    found = {}
    for folder, folders, names in os.walk(root):
        relative = os.path.relpath(folder, root)
        folders[:] = [name for name in folders if os.path.normpath(f"{relative}/{name}") not in VOLATILE]
        for name in [".", *names, *(each for each in folders if Path(folder, each).is_symlink())]:
            path = Path(folder, name)
            status = path.lstat()
            content = ""
            if path.is_symlink():
                content = f" -> {path.readlink()}"
            elif path.is_file():
                content = f" SHA-256 {hashlib.sha256(path.read_bytes()).hexdigest()}"
            time = "" if relative in SCRATCH else f" {status.st_mtime_ns}"
            found["/" + os.path.normpath(f"{relative}/{name}")] = f"{status.st_mode:o}{time}{content}"
    return found


def _objects(keeper: Keeper) -> dict[str, str]:
    listed = json.loads(
        keeper.output(f"kubectl --cache-dir=/run/picture get {KINDS} --all-namespaces -o json")
    )
    found = {}
    for item in listed["items"]:
        metadata = item["metadata"]
        told = metadata["resourceVersion"]
        if item["kind"] == "Node":
            # Its heartbeats give it a new one.
            metadata.pop("managedFields", None)
            metadata.pop("resourceVersion")
            told = json.dumps([metadata, item["spec"]], sort_keys=True)
        found[f"{item['kind']} {metadata.get('namespace', '')}/{metadata['name']}"] = told
    return found


def database(keeper: Keeper) -> str:
    """The command that logs in to the KBS's database, as the guide's; empty where none runs."""
    inspected = keeper.run(f"docker network inspect {compose.NETWORK}")
    if inspected.exit_status != 0:
        return ""
    containers = json.loads(str(inspected.stdout))[0]["Containers"].values()
    [address] = [each["IPv4Address"].partition("/")[0] for each in containers if "-db-" in each["Name"]]
    login = f"mysql -u{compose.DATABASE_USER} -p{compose.DATABASE_PASSWORD} -h {address}"
    return f"{login} -D {compose.DATABASE_NAME}"


def _rows(keeper: Keeper) -> dict[str, str]:
    login = database(keeper)
    rows = "SELECT * FROM"
    return {f"table {table}": keeper.output(f"{login} -e '{rows} {table}'") for table in TABLES if login}
