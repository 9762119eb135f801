"""The host's own programs, as scripts and the guide call them."""

# ruff: noqa: S608 -- the statements are this file's own

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING

import pytest

from simlab.sev.chain import PlatformChain, VendorChain

if TYPE_CHECKING:
    from tests.simlab.keeper import Keeper

DATABASE = "mysql -ukbsuser -pkbspassword -h172.18.0.2 -Dsimple_kbs -BN"


def patiently(command: str) -> str:
    """Return a script that tries a command for ten seconds until it succeeds."""
    return f"for i in $(seq 100); do if {command} 2>/dev/null; then exit 0; fi; sleep 0.1; done; exit 1"


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("uname -r", "5.10.134-13_rc2.an8.x86_64"),
        ("uname -sr", "Linux 5.10.134-13_rc2.an8.x86_64"),
        ("uname --machine", "x86_64"),
        (". /etc/os-release; echo $ID $VERSION_ID", "anolis 8.6"),
        ("grep -o 'mem_encrypt=on kvm_amd.sev=1' /proc/cmdline", "mem_encrypt=on kvm_amd.sev=1"),
        ("cat /sys/module/kvm_amd/parameters/sev", "1"),
        ("dmesg | grep -i sme", "[    1.863927] AMD Memory Encryption Features active: SME"),
        ("dmesg | grep -ic 'sev.*255 asids'", "1"),
        ("nproc", "4"),
        ("grub2-editenv - list | grep -c ^kernelopts=.*kvm_amd.sev=1", "1"),
        (
            "grub2-editenv - set a='b c=d' && grub2-editenv - list | tail -1; grub2-editenv - unset a",
            "a=b c=d",
        ),
        ("getenforce", "Disabled"),
        ("sudo -n id -u", "0"),
        ("/usr/libexec/platform-python -c 'print(1)'", "1"),
        ("systemctl is-active containerd kubelet docker sshd | sort -u", "active"),
        ("systemctl is-active firewalld || echo $?", "inactive\n3"),
        ("ip -o route get to 8.8.8.8 | sed -n 's/.*src \\([0-9.]\\+\\).*/\\1/p'", "192.168.122.10"),
        ("ps aux | grep -c '[q]emu'", "0"),
    ],
)
def test_the_host_tells_what_the_guide_expects(lab: Keeper, command: str, expected: str) -> None:
    assert str(lab.run(command).stdout).strip() == expected


def test_the_boot_id_is_the_labs_own(lab: Keeper) -> None:
    with open("/proc/sys/kernel/random/boot_id") as runner:  # noqa: PTH123
        assert lab.output("cat /proc/sys/kernel/random/boot_id") != runner.read()


def test_the_host_trusts_the_internet_and_nobody_else(lab: Keeper) -> None:
    assert lab.output("curl -sS -o /dev/null -w %{http_code} https://mirrors.openanolis.cn/nothing") == "404"
    assert (
        lab.run("curl -sS --cacert /etc/kubernetes/pki/ca.crt https://mirrors.openanolis.cn/").exit_status
        == 60
    )
    # A name that nobody serves fails at once, and does not wait for a name server.
    assert lab.run("timeout 5 curl -sS https://example.com/").exit_status == 6


def test_the_guides_way_to_the_databases_address(lab: Keeper) -> None:
    pipeline = (
        "docker network inspect simple-kbs_default"
        " | jq -r '.[].Containers[] | select(.Name | test(\"simple-kbs[_-]db.*\")).IPv4Address'"
        ' | sed "s|/.*$||g"'
    )
    assert lab.output(pipeline) == "172.18.0.2\n"


def test_sevctl_exports_the_platforms_chain(lab: Keeper) -> None:
    lab.output("sevctl export --full /root/full.cert && sevctl export /root/sev.cert")
    full = (lab.layout.host / "root/full.cert").read_bytes()
    stream = io.BytesIO(full)
    platform, vendor = PlatformChain.read(stream), VendorChain.read(stream)
    assert not stream.read()
    platform.verify()
    vendor.verify()
    assert full.startswith((lab.layout.host / "root/sev.cert").read_bytes())
    assert full.endswith((lab.layout.platform / "ask_ark.cert").read_bytes())


def test_sevctl_fails_when_the_key_service_does_not_know_the_chip(lab: Keeper) -> None:
    served = next((lab.layout.internet / "kdsintf.amd.com/cek/id").iterdir())
    hidden = served.rename(lab.layout.world / "hidden.cert")
    try:
        # Four tries, five seconds apart, as the real one: here the first refusal is enough.
        done = lab.run("timeout 2 sevctl export --full /root/none.cert; test -e /root/none.cert")
        assert done.exit_status == 1
    finally:
        hidden.rename(served)


def test_docker_ps_in_all_its_forms(lab: Keeper) -> None:
    names = lab.output("docker ps --filter name=simple-kbs --format '{{.Names}}'").split()
    assert sorted(names) == ["simple-kbs-db-1", "simple-kbs-server-1"]
    heading = lab.output("docker ps").splitlines()[0].split("  ")
    assert [cell.strip() for cell in heading if cell] == [
        *("CONTAINER ID", "IMAGE", "COMMAND", "CREATED", "STATUS", "PORTS", "NAMES")
    ]
    ids = lab.output("docker ps -q --filter name=server").split()
    assert len(ids) == 1
    assert lab.output(f"docker inspect -f '{{{{.Name}}}}' {ids[0]}") == "/simple-kbs-server-1\n"
    assert "0.0.0.0:44444->44444/tcp" in lab.output("docker ps --format '{{.Ports}}'")
    assert json.loads(lab.output("docker inspect simple-kbs-db-1"))[0]["State"]["Running"] is True
    refused = lab.run("docker inspect nothing")
    assert (refused.exit_status, str(refused.stdout).strip()) == (1, "[]")
    assert "No such object: nothing" in str(refused.stderr)


def test_no_client_gets_the_port_of_the_kbs(lab: Keeper) -> None:
    assert lab.output("cat /proc/sys/net/ipv4/ip_local_reserved_ports") == "44444\n"


def test_docker_tells_its_servers_version(lab: Keeper) -> None:
    assert lab.output("docker version --format '{{.Server.Version}}'") == "20.10.21\n"
    assert "Server:" in lab.output("docker version")
    assert lab.output("docker --version").startswith("Docker version 20.10.21,")


def test_docker_logs_since(lab: Keeper) -> None:
    assert "Starting gRPC Server" in lab.output("docker logs simple-kbs-server-1")
    assert lab.output("docker logs --since 2999-01-01T00:00:00Z simple-kbs-server-1") == ""


def test_a_stopped_database_is_unreachable_and_keeps_its_rows(lab: Keeper) -> None:
    lab.output(f"""{DATABASE} -e "INSERT INTO keysets VALUES (77, 'KEPT', '[]', NULL)" """)
    assert lab.output("docker stop simple-kbs-db-1") == "simple-kbs-db-1\n"
    refused = lab.run(f"{DATABASE} -e 'SELECT 1'")
    assert "(113)" in str(refused.stderr), "EHOSTUNREACH: docker took the address away"
    assert "Exited (0)" in lab.output("docker ps -a --filter name=db")
    assert lab.output("docker start simple-kbs-db-1") == "simple-kbs-db-1\n"
    kept = f'{DATABASE} -e "SELECT keysetid FROM keysets WHERE id = 77"'
    assert lab.output(patiently(kept)) == "KEPT\n"


def test_a_server_that_dies_is_started_again(lab: Keeper) -> None:
    pid = lab.output("docker inspect -f '{{.State.Pid}}' simple-kbs-server-1").strip()
    lab.output(f"kill -KILL {pid}")
    assert lab.output("docker ps -q --filter name=server"), "docker lists one that it will start again"
    again = f"test $(docker inspect -f '{{{{.State.Pid}}}}' simple-kbs-server-1) -gt {pid}"
    lab.output(patiently(again))
    lab.output(patiently("echo >/dev/tcp/127.0.0.1/44444"))


def test_compose_down_and_up_give_the_stock_data_back(lab: Keeper) -> None:
    lab.output(f"{DATABASE} -e 'DELETE FROM keysets'")
    lab.output("cd simple-kbs && docker compose down && docker compose up -d")
    stock = f"{DATABASE} -e 'SELECT keysetid FROM keysets' | grep ."
    assert lab.output(patiently(stock)) == "KEYSET-1\n"
    lab.output(patiently("echo >/dev/tcp/127.0.0.1/44444"))
    outside = lab.run("docker compose ps")
    assert (outside.exit_status, outside.stderr) == (14, "no configuration file provided: not found\n")


def test_crictl_pulls_an_image_for_the_host_and_removes_it(lab: Keeper) -> None:
    pulled = lab.output("crictl pull docker.io/bitnami/nginx:1.22.0")
    assert pulled.startswith("Image is up to date for sha256:")
    assert "bitnami/nginx" in lab.output("crictl image ls")
    lab.output("crictl rmi docker.io/bitnami/nginx:1.22.0")
    assert "bitnami/nginx" not in lab.output("crictl image ls")
    missing = lab.run("crictl pull docker.io/bitnami/nginx:0")
    assert missing.exit_status == 1
    assert "pulling image: rpc error: code = NotFound" in str(missing.stderr)


def test_crictl_needs_its_endpoint(lab: Keeper) -> None:
    heading, *rows = lab.output("crictl -r unix:///run/containerd/containerd.sock image ls").splitlines()
    assert heading.split() == [*("IMAGE", "TAG", "IMAGE", "ID", "SIZE")]
    # The operator's, which are pulled on the host.
    assert {row.partition("/")[0] for row in rows} == {"quay.io"}
    refused = lab.run("crictl -r unix:///run/nothing.sock ps")
    assert refused.exit_status == 1
    assert "connect endpoint 'unix:///run/nothing.sock'" in str(refused.stderr)
