"""containerd's configuration: its default, and what the CoCo installer adds.

Sources: containerd 1.6 (`containerd config default`), kata CC-0.3.0
`tools/packaging/kata-deploy-cc/scripts/kata-deploy.sh`, operator v0.3.0
`install/pre-install-payload/containerd/containerd-for-cc-override.conf`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from simlab.release import paths

if TYPE_CHECKING:
    from collections.abc import Iterable

DEFAULT_SANDBOX_IMAGE: Final = "registry.k8s.io/pause:3.6"
GUIDE_SANDBOX_IMAGE: Final = "registry.cn-hangzhou.aliyuncs.com/google_containers/pause:3.1"
"""The mirror that the guide's step one puts in its place."""

DROP_IN: Final = f"""\
[Service]
ExecStart=
ExecStart={paths.CONTAINERD}
"""


def default(sandbox_image: str = DEFAULT_SANDBOX_IMAGE) -> str:
    """What `containerd config default` prints, shortened to the tables that matter to a Kubernetes node."""
    return f"""\
disabled_plugins = []
imports = []
oom_score = 0
plugin_dir = ""
required_plugins = []
root = "/var/lib/containerd"
state = "/run/containerd"
temp = ""
version = 2

[cgroup]
  path = ""

[grpc]
  address = "/run/containerd/containerd.sock"
  gid = 0
  max_recv_message_size = 16777216
  max_send_message_size = 16777216
  uid = 0

[plugins]

  [plugins."io.containerd.gc.v1.scheduler"]
    deletion_threshold = 0
    pause_threshold = 0.02
    schedule_delay = "0s"
    startup_delay = "100ms"

  [plugins."io.containerd.grpc.v1.cri"]
    disable_tcp_service = true
    enable_selinux = false
    enable_tls_streaming = false
    ignore_image_defined_volumes = false
    max_concurrent_downloads = 3
    max_container_log_line_size = 16384
    sandbox_image = "{sandbox_image}"
    stats_collect_period = 10
    stream_idle_timeout = "4h0m0s"
    stream_server_address = "127.0.0.1"
    stream_server_port = "0"
    systemd_cgroup = false
    tolerate_missing_hugetlb_controller = true

    [plugins."io.containerd.grpc.v1.cri".cni]
      bin_dir = "/opt/cni/bin"
      conf_dir = "/etc/cni/net.d"
      max_conf_num = 1

    [plugins."io.containerd.grpc.v1.cri".containerd]
      default_runtime_name = "runc"
      disable_snapshot_annotations = true
      discard_unpacked_layers = false
      no_pivot = false
      snapshotter = "overlayfs"

      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes]

        [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
          base_runtime_spec = ""
          container_annotations = []
          pod_annotations = []
          privileged_without_host_devices = false
          runtime_engine = ""
          runtime_root = ""
          runtime_type = "io.containerd.runc.v2"

          [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
            BinaryName = ""
            SystemdCgroup = true

    [plugins."io.containerd.grpc.v1.cri".image_decryption]
      key_model = "node"

    [plugins."io.containerd.grpc.v1.cri".registry]
      config_path = ""

[stream_processors]

  [stream_processors."io.containerd.ocicrypt.decoder.v1.tar"]
    accepts = ["application/vnd.oci.image.layer.v1.tar+encrypted"]
    args = ["--decryption-keys-path", "/etc/containerd/ocicrypt/keys"]
    env = ["OCICRYPT_KEYPROVIDER_CONFIG=/etc/containerd/ocicrypt/ocicrypt_keyprovider.conf"]
    path = "ctd-decoder"
    returns = "application/vnd.oci.image.layer.v1.tar"

  [stream_processors."io.containerd.ocicrypt.decoder.v1.tar.gzip"]
    accepts = ["application/vnd.oci.image.layer.v1.tar+gzip+encrypted"]
    args = ["--decryption-keys-path", "/etc/containerd/ocicrypt/keys"]
    env = ["OCICRYPT_KEYPROVIDER_CONFIG=/etc/containerd/ocicrypt/ocicrypt_keyprovider.conf"]
    path = "ctd-decoder"
    returns = "application/vnd.oci.image.layer.v1.tar+gzip"

[ttrpc]
  address = ""
  gid = 0
  uid = 0
"""


def with_kata_runtimes(text: str, shims: Iterable[str]) -> str:
    """Return a configuration with the runtimes that the installer adds: `kata`, and one a shim.

    A table that is there already is left as it is, but for the path of kata's configuration.
    """
    plugin = '"io.containerd.grpc.v1.cri"' if re.search(r"version = 2\b", text) else "cri"
    text = _with_runtime(text, plugin, "kata", "configuration.toml")
    for shim in shims:
        text = _with_runtime(text, plugin, f"kata-{shim}", f"configuration-{shim}.toml")
    return text


def _with_runtime(text: str, plugin: str, name: str, configuration: str) -> str:
    table = f"[plugins.{plugin}.containerd.runtimes.{name}]"
    options = f"[plugins.{plugin}.containerd.runtimes.{name}.options]"
    path = f'ConfigPath = "{paths.CONFIGURATIONS}/{configuration}"'
    if table not in text:
        # The remote hypervisor's pods are pulled for by their peer (kata CC-0.7.0).
        handler = "" if name == "kata-remote" else "cc"
        text += f"""\
{table}
  cri_handler = "{handler}"
  runtime_type = "io.containerd.{name}.v2"
  privileged_without_host_devices = true
  pod_annotations = ["io.katacontainers.*"]
"""
    if options in text:
        return re.sub(rf"({re.escape(options)}.*\n.*?)ConfigPath.*", rf"\g<1>{path}", text)
    return text + f"  {options}\n    {path}\n"
