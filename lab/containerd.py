"""containerd's configuration on the host, read and edited as TOML.

Sources: containerd 1.6, pkg/cri/config/config.go (version 2 of the file) and services/server/server.go (a
file without a version is one of version 1, of which it takes a plugin's table by its short name alone);
containerd 2.0, docs/cri/config.md (version 3, which calls the sandbox image a pinned image).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import tomlkit
from tomlkit.exceptions import TOMLKitError

from lab.errors import LabError, NoSuchHostFile, NotProven
from lab.fact import Fact
from lab.services import Services

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from lab.host import Host
    from lab.record import Record

PATH = "/etc/containerd/config.toml"
CRI = "io.containerd.grpc.v1.cri"
SHORT_CRI = "cri"
CRI_IMAGES = "io.containerd.cri.v1.images"

# containerd 1.6, services/server/config/config.go.
KINDS: dict[str, type] = {"version": int, "disabled_plugins": list, "plugins": dict}


@dataclass(frozen=True)
class ContainerdConfiguration:
    """One configuration file. Editing gives a new one; comments and order stay as they are."""

    text: str

    @classmethod
    def parse(cls, data: bytes) -> ContainerdConfiguration:
        """The configuration in `data`. Raises LabError where containerd would not start with it."""
        try:
            text = data.decode()
            document = tomlkit.parse(text).unwrap()
        except (UnicodeDecodeError, TOMLKitError) as error:
            raise LabError(f"{PATH} on the host is not TOML: {error}") from None
        for name, kind in KINDS.items():
            if not isinstance(document.get(name, kind()), kind):
                raise LabError(
                    f"{PATH} on the host is not containerd's: "
                    f"{name} is {document[name]!r}, and no {kind.__name__}"
                )
        return cls(text)

    @classmethod
    def read(cls, host: Host) -> ContainerdConfiguration | None:
        """The host's configuration; None where there is none, or an empty file.

        Raises NotProven where containerd would not start with it: clause C-4.1 owns that.
        """
        try:
            data = host.read_file(PATH)
        except NoSuchHostFile:
            return None
        try:
            return cls.parse(data) if data.strip() else None
        except LabError as fault:
            raise NotProven(str(fault), owner="C-4.1") from None

    @classmethod
    def require(cls, host: Host) -> ContainerdConfiguration:
        """The host's configuration. Raises NotProven where there is none: clause C-4.1 owns that."""
        found = cls.read(host)
        if found is None:
            raise NotProven(
                f"containerd has no configuration: {PATH} is missing or empty "
                "(`containerd config default` prints one)",
                owner="C-4.1",
            )
        return found

    @property
    def _document(self) -> dict[str, Any]:
        return tomlkit.parse(self.text).unwrap()

    def summary(self) -> dict[str, Any]:
        """What the guide's clauses rest on; the rest of the file may hold passwords of registries."""
        disabled = self._document.get("disabled_plugins") or []
        return {"disabled_plugins": disabled, "sandbox_image": self.sandbox_image}

    @property
    def serves_kubernetes(self) -> bool:
        """Whether the CRI plugin is on; the file in docker's package turns it off."""
        disabled = self._document.get("disabled_plugins") or []
        return not {SHORT_CRI, CRI} & set(disabled)

    @property
    def sandbox_image(self) -> str | None:
        """The pause image's reference, or None where the file leaves it to containerd's default."""
        table = self._document
        for key in self._sandbox_path():
            if not isinstance(table, dict) or key not in table:
                return None
            table = table[key]
        return str(table)

    @property
    def runtimes(self) -> list[str]:
        """The runtimes that it has handlers for, in whichever version of the file."""
        return list(self._runtimes)

    @property
    def _runtimes(self) -> dict[str, Any]:
        plugins = self._document.get("plugins") or {}
        tables = (plugin.get("containerd") or {} for plugin in plugins.values() if isinstance(plugin, dict))
        return {name: of for table in tables for name, of in (table.get("runtimes") or {}).items()}

    def runtime_faults(self, names: Iterable[str]) -> list[str]:
        """What of these runtimes is not as the operator's installer writes it; empty where all is.

        By `cri_handler` CoCo's containerd has the guest pull the image (kata-containers CC-0.3.0 and
        CC-0.7.0, tools/packaging/kata-deploy-cc/scripts/kata-deploy.sh).
        """
        faults = []
        for name in names:
            if name not in self._runtimes:
                faults.append(f"{PATH} has no runtime {name}")
                continue
            wanted = {"runtime_type": f"io.containerd.{name}.v2", "cri_handler": "cc"}
            faults += [
                f"the runtime {name} in {PATH} has {key} {found!r}, and not {value!r}"
                for key, value in wanted.items()
                if (found := self._runtimes[name].get(key)) != value
            ]
        return faults

    @property
    def settings(self) -> dict[str, Any]:
        """Every value by its path, tables joined by dots."""
        return dict(_flat(self._document, ""))

    @property
    def has_plugins(self) -> bool:
        """Whether somebody set plugins up in it, such as runtimes; docker's own file has none."""
        return bool(self._document.get("plugins"))

    def serving_kubernetes(self) -> ContainerdConfiguration:
        """The same configuration with the CRI plugin on."""
        document = tomlkit.parse(self.text)
        disabled: Any = document.get("disabled_plugins")
        for name in (SHORT_CRI, CRI):
            while name in disabled:
                disabled.remove(name)
        return ContainerdConfiguration(tomlkit.dumps(document))

    def with_sandbox_image(self, reference: str) -> ContainerdConfiguration:
        """The same configuration with another pause image."""
        document = tomlkit.parse(self.text)
        table: Any = document
        *tables, last = self._sandbox_path()
        for key in tables:
            table = table.setdefault(key, tomlkit.table())
        table[last] = reference
        return ContainerdConfiguration(tomlkit.dumps(document))

    def _sandbox_path(self) -> tuple[str, ...]:
        version = int(self._document.get("version", 1))
        if version >= 3:
            return "plugins", CRI_IMAGES, "pinned_images", "sandbox"
        return "plugins", SHORT_CRI if version < 2 else CRI, "sandbox_image"


def kubernetes_fault(host: Host, record: Record) -> str | None:
    """Why the host's configuration does not serve Kubernetes; None where it does. Its summary is evidence."""
    try:
        configuration = ContainerdConfiguration.require(host)
    except NotProven as none:
        return none.cause
    summary = configuration.summary()
    record.evidence("containerd's configuration", summary, fact=Fact.OBJECTS)
    if configuration.serves_kubernetes:
        return None
    disabled = summary["disabled_plugins"]
    return f"{PATH} turns off the CRI plugin, which Kubernetes needs: disabled_plugins is {disabled}"


def require_runtime(host: Host, name: str) -> None:
    """Raise NotProven where containerd does not run, or its file has not the runtime as installed.

    Clauses C-4.3 and O-3.1 own that.
    """
    # Until the kubelet notices, its node is still Ready.
    Services(host).require_running("containerd", owner="C-4.3")
    if faults := ContainerdConfiguration.require(host).runtime_faults([name]):
        raise NotProven("; ".join(faults), owner="O-3.1")


def _flat(table: dict[str, Any], path: str) -> Iterator[tuple[str, Any]]:
    for key, value in table.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{path}{key}.")
        else:
            yield f"{path}{key}", value
