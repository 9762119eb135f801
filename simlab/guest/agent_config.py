"""How kata's agent is configured: its file in the initrd, then the kernel's command line over it.

Source: kata CC-0.3.0, src/agent/src/config.rs (`from_cmdline`).
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from simlab.artifacts.cpio import File

_TRUE = ("1", "true")


class AgentConfigError(Exception):
    """The agent cannot start: its configuration file is missing or malformed."""


@dataclass(frozen=True)
class AgentConfig:
    """What of the agent's configuration a guest acts on; `endpoints` None allows every request."""

    aa_kbc_params: str = ""
    enable_signature_verification: bool = True
    endpoints: frozenset[str] | None = None

    def allows(self, request: str) -> bool:
        """Tell whether a request (its protocol buffer message's name) is answered."""
        return self.endpoints is None or request in self.endpoints


def read(cmdline: str, root: Mapping[str, File]) -> AgentConfig:
    """Configure an agent by the command line and the files of its root.

    Raises AgentConfigError.
    """
    parameters = [parameter.partition("=") for parameter in cmdline.split()]
    config = AgentConfig()
    for name, _, value in parameters:
        if name == "agent.config_file":
            config = _from_file(root, value)
            break
    for name, _, value in parameters:
        if name == "agent.aa_kbc_params":
            config = replace(config, aa_kbc_params=value)
        elif name == "agent.enable_signature_verification":
            config = replace(config, enable_signature_verification=value.lower() in _TRUE)
    return config


def _from_file(root: Mapping[str, File], path: str) -> AgentConfig:
    file = root.get(path.lstrip("/"))
    if file is None:
        raise AgentConfigError(f"{path}: No such file or directory (os error 2)")
    try:
        content = tomllib.loads(file.data.decode())
    except ValueError as error:
        raise AgentConfigError(f"{path}: {error}") from None
    return AgentConfig(
        aa_kbc_params=content.get("aa_kbc_params", ""),
        enable_signature_verification=content.get("enable_signature_verification", True),
        # Without a list in the file, no request at all is allowed.
        endpoints=frozenset(content.get("endpoints", {}).get("allowed", [])),
    )
