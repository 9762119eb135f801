from __future__ import annotations

from typing import Any

import pytest

from lab.changes.containerd import ContainerdConfigured, SandboxImage
from lab.changes.docker import DockerInstalled, RegistryStarted
from lab.changes.kbs import KbsCheckout, KbsSource, KbsStarted
from lab.containerd import PATH
from lab.errors import DeadlineExceeded, LabError, NotProven
from lab.labfile import Permissions
from lab.packages import Packages
from lab.profile import StockKbs
from lab.provisioning import Mode, Provisioning
from lab.record import MemoryRecord
from lab.registry import Registry
from tests.lab.said import SayingHost

REPO_FILE = "https://download.docker.com/linux/centos/docker-ce.repo"
INSTALLED = "".join(f"{n}\t0:1-1\tx86_64\n" for n in ("containerd.io", "docker-ce", "docker-ce-cli"))
UP = "c1\tregistry:2\tUp 3 minutes\t0.0.0.0:5000->5000/tcp, :::5000->5000/tcp\tnostalgic_montalcini\n"
STOPPED = "c1\tregistry:2\tExited (2) 3 minutes ago\t\tnostalgic_montalcini\n"
OTHER = "c0\tnginx\tUp 2 days\t0.0.0.0:15000->5000/tcp\tweb\n"
JSON = "HTTP/1.1 200 OK\r\nContent-Type: application/json; charset=utf-8\r\n"
ANSWER = f"{JSON}Docker-Distribution-Api-Version: registry/2.0\r\n\r\n"
IMAGE = "docker.io/library/registry:latest"


def test_docker_is_installed_from_its_repository() -> None:
    host = SayingHost({"rpm": "", "rpm --query --all": "", "yum": "", "awk": ""})
    change = DockerInstalled(host.as_host, Packages(host.as_host, seconds=9), REPO_FILE)
    assert change.look().found == "not installed: containerd.io docker-ce docker-ce-cli"
    change.apply()
    assert f"yum-config-manager --add-repo {REPO_FILE}" in host.commands
    assert host.commands[-1] == "yum --assumeyes install containerd.io docker-ce docker-ce-cli"
    host.says["rpm"] = INSTALLED.splitlines(keepends=True)[0]
    change.apply()
    assert host.commands[-1] == "yum --assumeyes --exclude=containerd.io install docker-ce docker-ce-cli"
    host.says["rpm"] = INSTALLED
    assert change.look().holds


def test_a_docker_from_elsewhere_that_answers_is_kept() -> None:
    host = SayingHost({"rpm": "", "docker version": "24.0.2\n"})
    change = DockerInstalled(host.as_host, Packages(host.as_host, seconds=9), REPO_FILE)
    assert change.look().found == "docker 24.0.2 answers, from another source"


def test_podman_in_dockers_place_is_no_docker() -> None:
    host = SayingHost({"rpm": "", "docker version": "4.0.2\n", "docker --version": "podman version 4.0.2\n"})
    change = DockerInstalled(host.as_host, Packages(host.as_host, seconds=9), REPO_FILE)
    sight = change.look()
    assert (sight.holds, "podman answers in docker's place" in sight.found) == (False, True)


def test_a_containerd_of_others_is_not_replaced_by_dockers() -> None:
    host = SayingHost({"rpm": "", "rpm --query --all": "containerd\t0:1.6.2-1\tx86_64\n"})
    change = DockerInstalled(host.as_host, Packages(host.as_host, seconds=9), REPO_FILE)
    with pytest.raises(LabError, match=r"would take the place of containerd-0:1\.6\.2-1\.x86_64"):
        change.apply()
    assert not [command for command in host.commands if command.startswith("yum")]


def registry_of(host: SayingHost, seconds: float = 9) -> RegistryStarted:
    return RegistryStarted(host.as_host, Registry(host.as_host, MemoryRecord()), IMAGE, seconds=seconds)


@pytest.mark.parametrize(
    ("containers", "answer", "holds"),
    [
        (UP, ANSWER, True),
        (UP, f"{JSON}\r\n", False),
        (UP, ANSWER.replace("registry/2.0", "registry/1.0"), False),
        (UP, ANSWER.replace("200 OK", "503 Service Unavailable"), False),
        (UP, "no HTTP", False),
        (UP, (7, "Connection refused"), False),
        (OTHER, ANSWER, False),
        (STOPPED, (7, "Connection refused"), False),
        (UP.replace("Up 3 minutes", "Restarting (1) 3 seconds ago"), (7, "refused"), False),
    ],
)
def test_a_registry_is_a_container_that_is_up_and_its_answer(
    containers: str, answer: Any, holds: bool
) -> None:
    assert registry_of(SayingHost({"docker ps": containers, "curl": answer})).look().holds is holds


@pytest.mark.parametrize(
    ("containers", "command", "undone"),
    [
        (
            OTHER,
            f"docker run -itd -p 5000:5000 --name conformance-registry {IMAGE}",
            "docker rm --force conformance-registry",
        ),
        (STOPPED, "docker start c1", f"docker stop {STOPPED.rsplit(maxsplit=1)[-1]}"),
    ],
)
def test_a_registry_is_started_or_made(containers: str, command: str, undone: str) -> None:
    bound = '{"5000/tcp":[{"HostIp":"","HostPort":"5000"}]}'
    host = SayingHost({"docker ps": containers, "curl": (7, "Connection refused"), "docker inspect": bound})
    host.does[command] = lambda: host.says.update({"docker ps": UP, "curl": ANSWER})
    change = registry_of(host)
    change.apply()
    assert command in host.commands
    assert change.undone_by == undone
    assert registry_of(host).look().holds


def test_a_registry_that_was_stopped_and_has_another_port_is_left_alone() -> None:
    bound = '{"5000/tcp":[{"HostIp":"","HostPort":"5001"}]}'
    host = SayingHost({"docker ps": STOPPED, "docker inspect": bound, "curl": (7, "Connection refused")})
    host.does["docker run"] = lambda: host.says.update({"docker ps": UP, "curl": ANSWER})
    registry_of(host).apply()
    assert not [command for command in host.commands if command.startswith("docker start")]


def test_a_port_that_is_taken_or_silent_is_told() -> None:
    taken = SayingHost({"docker ps": UP, "curl": "HTTP/1.1 200 OK\r\n"})
    with pytest.raises(LabError, match="a container publishes port 5000, and no registry answers"):
        registry_of(taken).apply()
    silent = SayingHost({"docker ps": OTHER, "docker run": "c2\n", "curl": (7, "Connection refused")})
    with pytest.raises(DeadlineExceeded, match="nobody answers on port 5000: Connection refused"):
        registry_of(silent, seconds=0.05).apply()


DEFAULT = """version = 2
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "registry.k8s.io/pause:3.6"
"""


def test_containerds_default_takes_the_place_of_dockers_file_and_no_other() -> None:
    host = SayingHost(
        {"containerd config default": DEFAULT, "if [ -e": ""}, files={PATH: b'disabled_plugins=["cri"]\n'}
    )
    restarts: list[str] = []
    change = ContainerdConfigured(host.as_host, lambda: restarts.append("x"))
    assert change.look().found == "a configuration that disables the CRI plugin"
    change.apply()
    assert (host.files[PATH].decode(), restarts, change.look().holds) == (DEFAULT, ["x"], True)
    own = SayingHost(files={PATH: b"version = 2\n# the lab's own\n"})
    assert ContainerdConfigured(own.as_host, lambda: None).look().holds


def test_a_configuration_that_was_not_there_is_undone_by_its_removal() -> None:
    host = SayingHost({"containerd config default": DEFAULT, "if [ -e": ""})
    change = ContainerdConfigured(host.as_host, lambda: None)
    assert change.undone_by.startswith("cp --archive -- /var/lib/sev-conformance/backup/etc/containerd")
    change.apply()
    assert change.undone_by == f"rm {PATH}; systemctl restart containerd"


def test_a_configuration_with_runtimes_keeps_them_when_the_plugin_is_turned_on() -> None:
    runtimes = "version = 2\ndisabled_plugins = []\n" + DEFAULT.partition("\n")[2]
    off = runtimes.replace("[]", '["cri"]', 1)
    host = SayingHost({"if [ -e": ""}, files={PATH: off.encode()})
    ContainerdConfigured(host.as_host, lambda: None).apply()
    assert host.files[PATH].decode() == runtimes


def test_what_containerd_prints_is_checked_before_it_is_written() -> None:
    host = SayingHost({"containerd config default": "Error: [\n"}, files={PATH: b""})
    with pytest.raises(LabError, match="is not TOML"):
        ContainerdConfigured(host.as_host, lambda: None).apply()
    assert host.files[PATH] == b""


def test_the_sandbox_image_is_edited_and_containerd_restarted() -> None:
    host = SayingHost({"if [ -e": ""}, files={PATH: DEFAULT.encode()})
    restarts: list[str] = []
    change = SandboxImage(host.as_host, "mirror/pause:3.1", lambda: restarts.append("x"))
    assert change.look().found == "registry.k8s.io/pause:3.6"
    change.apply()
    assert (change.look().holds, restarts) == (True, ["x"])
    with pytest.raises(NotProven, match=r"no configuration to be edited \(C-4.1\)"):
        SandboxImage(SayingHost().as_host, "x", lambda: None).apply()


WANTED = StockKbs(
    tag="0.1.1",
    repository="https://github.com/confidential-containers/simple-kbs.git",
    folder="/root/simple-kbs",
    key_id="k",
    kid="k",
    wrap_type="aes_256_ctr",
    keyset_id="K",
    network="simple-kbs_default",
    database_container="simple-kbs[_-]db",
    server_container="simple-kbs[_-]server",
)


def checkout(host: SayingHost) -> KbsCheckout:
    source = KbsSource(host.as_host, WANTED)
    return KbsCheckout(host.as_host, source, WANTED.repository, WANTED.tag, seconds=9)


def test_simple_kbs_is_cloned_and_checked_out_before_it_takes_its_place() -> None:
    host = SayingHost({"git clone": "", "git -C /root/.simple-kbs": ""})
    host.says |= dict.fromkeys(["git -C /root/simple-kbs rev-parse"], (1, ""))
    host.does["mv"] = lambda: host.says.update({"git -C /root/simple-kbs describe": "0.1.1\n"})
    change = checkout(host)
    assert change.look().found == "/root/simple-kbs is at no tag"
    change.apply()
    assert change.look().holds
    [cloned] = [command.split() for command in host.commands if command.startswith("git clone")]
    part = cloned[-1]
    assert part.startswith("/root/.simple-kbs.")
    made = [command for command in host.commands if command.startswith(("mv", f"git -C {part} checkout"))]
    assert made == [
        f"git -C {part} checkout --detach refs/tags/0.1.1",
        f"mv --no-target-directory -- {part} /root/simple-kbs",
    ]


def test_a_clone_that_git_does_not_look_into_is_told_as_what_it_is() -> None:
    host = SayingHost(
        {"git -C": (128, "fatal: detected dubious ownership in repository at '/root/simple-kbs'")}
    )
    sight = checkout(host).look()
    assert (sight.holds, "safe.directory /root/simple-kbs" in sight.found) == (False, True)
    with pytest.raises(NotProven, match="/root/simple-kbs is not root's"):
        KbsSource(host.as_host, WANTED).tag()


def test_a_clone_that_is_there_is_checked_out_and_its_branches_stay() -> None:
    folder = "/root/simple-kbs"
    host = SayingHost({f"git -C {folder}": ""}, files={folder: b""})
    host.says[f"git -C {folder} rev-parse"] = (1, "")
    checkout(host).apply()
    assert host.commands[-4:] == [
        f"git -C {folder} rev-parse --verify --quiet refs/tags/0.1.1",
        f"git -C {folder} fetch --tags {WANTED.repository}",
        f"git -C {folder} rev-parse --verify --quiet refs/heads/branch_0.1.1",
        f"git -C {folder} checkout -b branch_0.1.1 refs/tags/0.1.1",
    ]


def test_the_checkout_is_that_of_the_running_containers() -> None:
    host = SayingHost(
        {
            "docker ps": "simple-kbs-db-1\nsimple-kbs-server-1\n",
            "docker inspect": "/srv/kbs\n",
            "git -C /srv/kbs describe": "0.1.0\n",
        }
    )
    assert checkout(host).look().found == "/srv/kbs is at 0.1.0"


def test_what_differs_from_the_tag_is_a_finding() -> None:
    host, record = SayingHost({"docker ps": "", "git": ""}), MemoryRecord()
    source = KbsSource(host.as_host, WANTED)
    source.tell_differences(record)
    assert record.findings == []
    host.says["git"] = " M docker-compose.yml\n" + "".join(f"?? {n}\n" for n in range(11))
    source.tell_differences(record)
    [finding] = record.findings
    assert finding.clause == "K-1.2"
    assert "M docker-compose.yml, ?? 0," in finding.detail
    assert "and 2 more" in finding.detail


def test_simple_kbs_is_started_and_waited_for() -> None:
    host = SayingHost({"docker ps": ""})
    host.does["cd /root/simple-kbs && docker compose up -d"] = lambda: host.says.update(
        {"docker ps": "simple-kbs-db-1\nsimple-kbs-server-1\n", "docker inspect": ""}
    )
    silences = ["refused", "refused"]

    def require_answer() -> None:
        if silences:
            raise NotProven(f"simple-kbs does not answer: {silences.pop()}")

    change = KbsStarted(
        host=host.as_host,
        source=KbsSource(host.as_host, WANTED),
        wanted=WANTED,
        require_answer=require_answer,
        record=MemoryRecord(),
        seconds=30,
    )
    assert change.look().found == "running: nothing"
    change.apply()
    assert change.look().holds


def test_a_docker_that_does_not_answer_is_charged_to_its_own_clause() -> None:
    Registry(SayingHost({"docker ps --quiet": ""}).as_host, MemoryRecord()).require_docker()
    silent = SayingHost({"docker ps": (1, "Cannot connect to the Docker daemon")})
    with pytest.raises(NotProven, match="Cannot connect to the Docker daemon") as refused:
        Registry(silent.as_host, MemoryRecord()).require_docker()
    assert refused.value.owner == "C-3.1"


def test_a_file_that_is_no_toml_is_charged_to_its_own_clause() -> None:
    host = SayingHost(files={PATH: b"[plugins\n"}).as_host
    everything = Permissions(**dict.fromkeys(Permissions.model_fields, True))
    provisioning = Provisioning(mode=Mode.APPLY, permissions=everything, record=MemoryRecord())
    with pytest.raises(NotProven, match=r"cannot be looked at: .* is not TOML") as refused:
        provisioning.ensure(SandboxImage(host, "mirror/pause:3.1", lambda: None))
    assert refused.value.owner == "C-4.1"
