"""A profile laid on a lab of another CoCo release turns red in the clauses that differ, and says why."""

from __future__ import annotations

import pytest

from tests.simlab.keeper import Keeper
from tests.whole import runs

OLD, NEW = "0.3.0", "0.7.0"
CHOSEN = (
    "worker_label or operator_of_the_release or controllers_proxy or runtimeclasses_of_the_release"
    " or holds_the_guides_key or nginx_runs"
)
EXPECTED = [
    # lab, profile, clause, verdict, words of its reason
    (NEW, OLD, "C-5.2", "failed", "no node is a worker: "),
    (NEW, OLD, "O-2.1", "failed", "operator:v0.7.0, not quay.io/confidential-containers/operator:v0.2.0"),
    (NEW, OLD, "O-2.2", "failed", "kube-rbac-proxy:v0.13.1"),
    (NEW, OLD, "O-3.2", "passed", ""),  # it has the old one's six, and one more
    (NEW, OLD, "K-1.4", "failed", "KEYSET-1 lists default/key/ssh-demo, and not key_id1"),
    (NEW, OLD, "W-1.2", "not proven", "no node has the label node-role.kubernetes.io/worker="),
    (OLD, NEW, "C-5.2", "failed", "no node is a worker: "),
    (OLD, NEW, "O-2.1", "failed", "operator:v0.2.0, not quay.io/confidential-containers/operator:v0.7.0"),
    (OLD, NEW, "O-2.2", "failed", "kube-rbac-proxy:v0.13.0"),
    (OLD, NEW, "O-3.2", "failed", "kata-qemu-snp does not exist"),
    (OLD, NEW, "K-1.4", "failed", "no secret default/key/ssh-demo"),
    (OLD, NEW, "W-1.2", "not proven", "no node has the label node.kubernetes.io/worker="),
]


class Crossed:
    """Labs of one release under the profile of another, each run once with nothing converged."""

    def __init__(self, folders: pytest.TempPathFactory) -> None:
        self._folders = folders
        self._results: dict[tuple[str, str], dict[str, tuple[str, str]]] = {}

    def results(self, lab: str, profile: str) -> dict[str, tuple[str, str]]:
        """Verdict and reason by clause."""
        if (lab, profile) not in self._results:
            self._results[lab, profile] = self._run(lab, profile)
        return self._results[lab, profile]

    def _run(self, lab: str, profile: str) -> dict[str, tuple[str, str]]:
        with Keeper(self._folders.mktemp("lab") / lab, "--release", lab) as keeper:
            told = keeper.layout.lab_file.read_text()
            assert f'profile = "anolis-8.6-coco-{lab}"' in told
            lab_file = keeper.layout.lab_file.with_name("crossed.toml")
            lab_file.write_text(told.replace(f"coco-{lab}", f"coco-{profile}"))
            # The last --lab counts.
            ran = runs.run(keeper, f"--lab={lab_file}", "--provision=off", "-k", CHOSEN)
        assert ran.exit_code == pytest.ExitCode.TESTS_FAILED, ran.output
        return {
            clause: (scenario["verdict"], scenario["reason"])
            for scenario in ran.results["scenarios"]
            for clause in scenario["clauses"]
        }


@pytest.fixture(scope="module")
def crossed(tmp_path_factory: pytest.TempPathFactory) -> Crossed:
    return Crossed(tmp_path_factory)


@pytest.mark.parametrize(("lab", "profile", "clause", "verdict", "cause"), EXPECTED)
def test_a_profile_does_not_fit_another_release(
    crossed: Crossed, lab: str, profile: str, clause: str, verdict: str, cause: str
) -> None:
    found = crossed.results(lab, profile)[clause]
    assert found[0] == verdict
    assert cause in found[1]
