"""What a pod's annotations may change in a sandbox (kata CC-0.3.0 `src/runtime/pkg/oci/utils.go`)."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from simlab.node.kata.errors import ShimError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from simlab.node.kata.config import Configuration

CONFIG_PATH: Final = "io.katacontainers.config_path"
_HYPERVISOR: Final = "io.katacontainers.config.hypervisor."


def apply(configuration: Configuration, annotations: Mapping[str, str]) -> Configuration:
    """The configuration with the annotations' overrides.

    Only names that `enable_annotations` matches are allowed. Of those, kernel parameters, vCPUs and memory
    have an effect here; the others are accepted and change nothing. Raises ShimError.
    """
    wanted = {
        key.removeprefix(_HYPERVISOR): value
        for key, value in annotations.items()
        if key.startswith(_HYPERVISOR)
    }
    for name in wanted:
        # Not anchored, as Go's regexp.MatchString.
        if not any(re.search(pattern, name) for pattern in configuration.enable_annotations):
            raise ShimError(f"annotation {_HYPERVISOR}{name} is not enabled")
    if "default_vcpus" in wanted:
        configuration = replace(configuration, vcpus=_number(wanted, "default_vcpus"))
    if "default_max_vcpus" in wanted:
        configuration = replace(configuration, max_vcpus=_number(wanted, "default_max_vcpus"))
    if "default_memory" in wanted:
        configuration = replace(configuration, memory_mib=_number(wanted, "default_memory"))
    if "kernel_params" in wanted:
        more = tuple(wanted["kernel_params"].split())
        configuration = replace(configuration, kernel_params=configuration.kernel_params + more)
    return configuration


def _number(wanted: Mapping[str, str], name: str) -> int:
    text = wanted[name]
    if not text.isdecimal():
        raise ShimError(
            f"Error parsing annotation {_HYPERVISOR}{name}: "
            f'strconv.ParseUint: parsing "{text}": invalid syntax'
        )
    return int(text)
