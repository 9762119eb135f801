"""What tells one CoCo release from another, as data: see the folders beside this module."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from simlab.release.kata_options import Option


@dataclass(frozen=True)
class Kata:
    """kata's shim and its installer."""

    tag: str
    version: str
    """What its source calls itself: `VERSION` at the tag."""
    commit: str
    """The tag's commit, in full."""
    shims: tuple[str, ...]
    """What the installer links and gives containerd a runtime for."""
    programs: tuple[str, ...]
    """Programs that this release has and those before it lack."""
    firmware: str
    """OVMF's AmdSev build on the host."""
    firmware_version: str
    pre_attestation: tuple[Option, ...]
    """The lines of `configuration-qemu-sev.toml` about confidential guests."""
    virtio_fs_extra_args: str
    static_resources: bool
    """Whether the sizes of confidential sandboxes are fixed when they are made."""
    agent: tuple[Option, ...]
    """Lines of `[agent.kata]`."""
    kbs_uri: str
    """The TOML's key of the KBS's address."""
    kbs_modes: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """Type and GUID of the launch secret by mode; empty where the TOML names them itself."""
    online_kbc: str = ""
    """The KBC that the shim names to a guest in the mode `online`; empty where it names none."""
    pod_settings: bool = False
    """Whether a pod's annotations may set pre-attestation and the SEV policy."""


@dataclass(frozen=True)
class Guest:
    """image-rs and the attestation agent, as kata's agent of the release is built with them."""

    attestation_agent: str
    layer_failed: str
    no_key: str
    credential: str
    """The resource that is asked for before a pull."""
    wrap_types: tuple[str, ...]
    """How a layer's options may be wrapped; the first is what the release's own tool does."""
    kids_are_uris: bool
    """Whether a key is named by a URI, `kbs://HOST/REPOSITORY/TYPE/TAG`, and asked for by its path."""


@dataclass(frozen=True)
class EncryptedImage:
    """The encrypted image that the release's users try, and its key."""

    registry: str
    name: tuple[str, str]
    kid: str
    key_id: str
    key: bytes


@dataclass(frozen=True)
class Release:
    """A release. `folder` has the operator's kustomizations, and what kubectl makes of them."""

    name: str
    folder: Path
    kata: Kata
    guest: Guest
    image: EncryptedImage
    profile: str
    """What lab files call the release, with the host's system."""
    base: Release | None = None
    """The release whose kustomizations this one's folder changes."""
    namespace_labels: Mapping[str, str] = field(default_factory=dict)
    """What the operator's manager labels its namespace with when it starts."""
    demo_initrds: bool = False
    """Whether the guide offers initrds for both KBCs; else they are the lab's own builds."""

    @property
    def tag(self) -> str:
        """The operator's tag."""
        return f"v{self.name}"

    def operator_source(self) -> dict[str, bytes]:
        """The operator's repository: files by their path in it."""
        folder = self.folder / "operator"
        own = {
            str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()
        }
        return (self.base.operator_source() if self.base else {}) | own

    @cached_property
    def manifests(self) -> list[dict[str, Any]]:
        """What `config/release` renders to."""
        return list(yaml.load_all((self.folder / "release.yaml").read_text(), Loader=yaml.CSafeLoader))

    @cached_property
    def cc_runtime(self) -> dict[str, Any]:
        """What `config/samples/ccruntime/default` renders to."""
        found: dict[str, Any] = yaml.load(
            (self.folder / "ccruntime.yaml").read_text(), Loader=yaml.CSafeLoader
        )
        return found

    @property
    def worker_label(self) -> dict[str, str]:
        """What the operator selects nodes by; its controller has the same one for a CcRuntime without any."""
        labels: dict[str, str] = self.cc_runtime["spec"]["ccNodeSelector"]["matchLabels"]
        return labels

    @property
    def runtime_classes(self) -> list[str]:
        """The RuntimeClasses of the sample; each has the handler of its name."""
        names: list[str] = self.cc_runtime["spec"]["config"]["runtimeClassNames"]
        return names

    def controller_images(self) -> dict[str, str]:
        """The image of each container of the controller, as released."""
        (deployment,) = (one for one in self.manifests if one["kind"] == "Deployment")
        return {each["name"]: each["image"] for each in deployment["spec"]["template"]["spec"]["containers"]}
