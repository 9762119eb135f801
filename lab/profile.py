"""The schema of a profile: the versions under qualification, and what the guide expects of them.

The text under each key is its documentation: `docs/profiles.md` is tested against it.
"""

from __future__ import annotations

import base64

from lab.labfile import Section
from lab.layer_key import WrappingKey
from lab.values import HostPath, Name, Text, Texts


class HostSystem(Section):
    """The host's operating system, as the guide wants it (guide: 前提条件)."""

    id: Text
    """`ID` in its os-release."""
    version: Text
    """`VERSION_ID` in its os-release."""
    kernel: Text
    """The kernel's series: a version, or what it begins with."""
    kernel_arguments: list[Text]
    """The kernel parameters that enable SEV and SME, each `name=value`."""
    grub: Text
    """The version of grub that starts a kernel with them, as `EPOCH:VERSION-RELEASE`."""
    kernel_repository: Text
    """URL of the package repository with this kernel."""
    base_repository: HostPath
    """The file of the package repository with grub."""
    base_release: Text
    """The release of the system whose repository has this grub."""


class ClusterNeeds(Section):
    """What the guide asks of the test cluster (guide: 步骤一, 步骤二 前提条件)."""

    kubernetes: Text
    """The oldest release of Kubernetes, as major and minor."""
    pause_image: Text
    """The sandbox image that containerd is given."""
    memory: int
    """Memory of the node, in gigabytes of 10^9 bytes."""
    cpus: int
    """vCPUs of the node."""
    runtime: Name
    """The node's container runtime."""
    worker_label: Text
    """The label, with an empty value, of the nodes that the operator installs on."""
    operator_sdk: Text
    """The version of operator-sdk."""
    docker_repository: Text
    """URL of the .repo file of docker's packages."""
    registry_image: Text
    """The local registry's image."""


class OperatorRelease(Section):
    """The release of the operator (guide: 步骤二)."""

    release: Text
    """The kustomization that deploys it, as `kubectl apply -k` takes it."""
    ccruntime: Text
    """The kustomization of its custom resource."""
    manager_image: Text
    """The image of its controller, which tells the release."""
    rbac_proxy_image: Text
    """The image of the proxy beside it that can be reached."""
    installed_folders: list[HostPath]
    """The folders on a host that are the installer's."""
    installed_files: list[Text]
    """Patterns of the other files that it puts on a host."""
    removed_files: list[Text]
    """Patterns of what of all that an uninstallation must remove; the rest is reported where it stays."""
    node_labels: list[Text]
    """The labels that it puts on nodes."""
    other_daemons: list[Name]
    """Its daemons beside those that install."""


class Kata(Section):
    """Paths and defaults of the release's kata, as its installer leaves them on a node."""

    sev_configuration: HostPath
    """The TOML of the RuntimeClass for SEV."""
    sev_initrd: HostPath
    """The initrd that this TOML names."""
    sev_runtime_class: Name
    """The RuntimeClass for SEV."""
    plain_runtime_class: Name
    """The RuntimeClass for unencrypted images (guide: example one)."""
    kbs_uri: Text | None = None
    """The TOML's key of the KBS's address, where kata tells guests; none where the guide's edit does."""


class KbcSettings(Section):
    """What tells one KBC from the other in kata's configuration."""

    name: Name
    """The KBC's name in the kernel parameter `agent.aa_kbc_params`."""
    settings: Texts
    """What in kata's TOML asks for this KBC's launch secret: keys of `[hypervisor.qemu]`, with values."""


class Kbcs(Section):
    """The two KBCs of the guide's step four, example two."""

    online: KbcSettings
    offline: KbcSettings


class StockKbs(Section):
    """simple-kbs as the guide starts it, with the data that it comes with."""

    tag: Text
    """The release, as a git tag."""
    repository: Text
    """Its git repository."""
    folder: HostPath
    """Where on the host its checkout is made."""
    key_id: Text
    """The key of the encrypted busybox: its `secret_id` in the database."""
    kid: Text
    """What the image's layers call that key: the `kid` of their annotation. It ends in `key_id`."""
    wrap_type: Text
    """What the guest's attestation agent calls AES-256 in counter mode, which wraps a layer's key."""
    published_key: Text | None = None
    """That key itself, base64, where it is published for tests: what the database must hold."""
    keyset_id: Text
    """The keyset that lists this key: its `keysetid`."""
    network: Text
    """The docker network of its containers."""
    database_container: Text
    """The name of the database's container, as a regular expression."""
    server_container: Text
    """The name of the server's container, as a regular expression."""

    @property
    def wrapping_key(self) -> WrappingKey | None:
        """The published key, as it wraps the keys of layers."""
        if self.published_key is None:
            return None
        return WrappingKey(base64.b64decode(self.published_key), self.wrap_type)


class Messages(Section):
    """What the release's guest says when it cannot run an encrypted image, in full or in part."""

    no_key: Text
    """Of a layer whose key it was not given."""
    not_decrypted: Text
    """Of a layer that the key it was given does not open."""


class ProfileImages(Section):
    """The guide's images."""

    nginx: Text
    """Example one."""
    encrypted_busybox: Text
    """Example two."""
    busybox: Text = "docker.io/library/busybox:1.36"
    """The plain image that a new encrypted one is made from; it needs a shell and `tail`."""


class Profile(Section):
    """One pair of an operating system and a CoCo release."""

    name: Name
    """The file's name without `.toml`."""
    title: Text
    """What reports call it."""
    operating_system: Text
    """The operating system of the host."""
    certificate_chain: HostPath
    """Where the guide puts the platform's SEV certificate chain."""
    host: HostSystem
    cluster: ClusterNeeds
    operator: OperatorRelease
    kata: Kata
    kbc: Kbcs
    kbs: StockKbs
    images: ProfileImages
    messages: Messages
    runtime_classes: list[Name]
    """The RuntimeClasses that the operator makes, each with the handler of its name."""
