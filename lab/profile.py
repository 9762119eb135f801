"""The schema of a profile: the versions under qualification, and what the guide expects of them."""

from __future__ import annotations

from lab.labfile import Section
from lab.values import HostPath, Name


class Kata(Section):
    """Paths and defaults of the release's kata, as its installer leaves them on a node."""

    sev_configuration: HostPath
    sev_initrd: HostPath
    sev_runtime_class: str
    plain_runtime_class: str
    kernel_params_anchor: str


class KbcSettings(Section):
    """What tells one KBC from the other in kata's configuration."""

    name: Name
    secret_type: str
    secret_guid: str


class Kbcs(Section):
    """The two KBCs of the guide's step four, example two."""

    online: KbcSettings
    offline: KbcSettings


class StockKbs(Section):
    """The data that simple-kbs comes with (db/initial-data.sql)."""

    tag: str
    key_id: str
    keyset_id: str
    network: str
    database_container: str
    server_container: str


class ProfileImages(Section):
    """The guide's images."""

    nginx: str
    encrypted_busybox: str


class Profile(Section):
    """One pair of an operating system and a CoCo release."""

    name: Name
    title: str
    operating_system: str
    certificate_chain: HostPath
    kata: Kata
    kbc: Kbcs
    kbs: StockKbs
    images: ProfileImages
    runtime_classes: list[str]
