import pytest

from lab.containerd import CRI, PATH, ContainerdConfiguration, kubernetes_fault
from lab.errors import LabError, NotProven
from lab.record import MemoryRecord
from tests.lab.said import SayingHost

VERSION_2 = """\
version = 2
disabled_plugins = []

[plugins]
  # a remark that stays
  [plugins."io.containerd.grpc.v1.cri"]
    sandbox_image = "registry.k8s.io/pause:3.6"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.kata-qemu-sev]
      cri_handler = "cc"
"""

VERSION_3 = """\
version = 3
[plugins."io.containerd.cri.v1.images".pinned_images]
  sandbox = "registry.k8s.io/pause:3.10"
"""

DOCKERS_OWN = 'disabled_plugins = ["cri"]\n#root = "/var/lib/containerd"\n'


@pytest.mark.parametrize(
    ("text", "image"),
    [
        (VERSION_2, "registry.k8s.io/pause:3.6"),
        (VERSION_3, "registry.k8s.io/pause:3.10"),
        (DOCKERS_OWN, None),
        ('[plugins.cri]\n  sandbox_image = "registry.k8s.io/pause:3.2"\n', "registry.k8s.io/pause:3.2"),
        (VERSION_2.replace("version = 2\n", ""), None),
    ],
)
def test_the_sandbox_image_is_read_and_set_in_each_version(text: str, image: str | None) -> None:
    configuration = ContainerdConfiguration.parse(text.encode())
    assert configuration.sandbox_image == image
    assert configuration.with_sandbox_image("mirror/pause:3.1").sandbox_image == "mirror/pause:3.1"


def test_editing_changes_nothing_else() -> None:
    edited = ContainerdConfiguration.parse(VERSION_2.encode()).with_sandbox_image("mirror/pause:3.1")
    assert edited.text == VERSION_2.replace("registry.k8s.io/pause:3.6", "mirror/pause:3.1")


def test_dockers_own_file_serves_no_kubernetes() -> None:
    assert not ContainerdConfiguration.parse(DOCKERS_OWN.encode()).serves_kubernetes
    assert ContainerdConfiguration.parse(VERSION_2.encode()).serves_kubernetes


def test_what_is_no_configuration_is_told() -> None:
    assert ContainerdConfiguration.read(SayingHost().as_host) is None
    assert ContainerdConfiguration.read(SayingHost(files={PATH: b"\n"}).as_host) is None
    with pytest.raises(LabError, match=r"config\.toml on the host is not TOML"):
        ContainerdConfiguration.read(SayingHost(files={PATH: b"[plugins\n"}).as_host)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (None, "is missing or empty"),
        ("\n", "is missing or empty"),
        ("[plugins\n", "is not TOML"),
        ('version = "two"\n', "version is 'two', and no int"),
        ('disabled_plugins = "cri"\n', "disabled_plugins is 'cri', and no list"),
    ],
)
def test_a_configuration_that_is_none_is_charged_to_its_own_clause(text: str | None, why: str) -> None:
    host = SayingHost(files={} if text is None else {PATH: text.encode()}).as_host
    with pytest.raises(NotProven, match=why) as refused:
        ContainerdConfiguration.require(host)
    assert refused.value.owner == "C-4.1"
    assert why in str(kubernetes_fault(host, MemoryRecord()))


def test_the_fault_of_dockers_own_file_is_told_with_what_was_found() -> None:
    host, record = SayingHost(files={PATH: DOCKERS_OWN.encode()}).as_host, MemoryRecord()
    assert "disabled_plugins is ['cri']" in str(kubernetes_fault(host, record))
    assert kubernetes_fault(SayingHost(files={PATH: VERSION_2.encode()}).as_host, record) is None


def test_the_plugin_is_turned_on_and_the_runtimes_stay() -> None:
    off = VERSION_2.replace("[]", f'["io.containerd.internal.v1.opt", "cri", "{CRI}"]')
    configuration = ContainerdConfiguration.parse(off.encode())
    assert (configuration.serves_kubernetes, configuration.has_plugins) == (False, True)
    edited = configuration.serving_kubernetes()
    assert edited.serves_kubernetes
    assert edited.text == VERSION_2.replace("[]", '["io.containerd.internal.v1.opt"]')
    assert not ContainerdConfiguration.parse(DOCKERS_OWN.encode()).has_plugins
