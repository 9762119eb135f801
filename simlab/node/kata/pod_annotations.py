"""What a pod's annotations may change in a sandbox.

Source: kata CC-0.3.0 and CC-0.7.0, `src/runtime/pkg/oci/utils.go`.
"""

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
# kata CC-0.7.0, src/runtime/virtcontainers/pkg/annotations/annotations.go
_PRE_ATTESTATION: Final = "io.katacontainers.config.pre_attestation.enabled"
_KBS_URI: Final = "io.katacontainers.config.pre_attestation.uri"
_SEV_POLICY: Final = "io.katacontainers.config.sev.policy"
_BOOLEANS: Final = {"1": True, "t": True, "true": True, "0": False, "f": False, "false": False}


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
    return _pre_attestation(configuration, annotations) if configuration.kata.pod_settings else configuration


def _pre_attestation(configuration: Configuration, annotations: Mapping[str, str]) -> Configuration:
    if _PRE_ATTESTATION in annotations:
        text = annotations[_PRE_ATTESTATION]
        if text.lower() not in _BOOLEANS:
            raise ShimError(
                f"Error parsing annotation {_PRE_ATTESTATION}: strconv.ParseBool: "
                f'parsing "{text}": invalid syntax'
            )
        configuration = replace(configuration, guest_pre_attestation=_BOOLEANS[text.lower()])
    if annotations.get(_KBS_URI):
        configuration = replace(configuration, kbs_uri=annotations[_KBS_URI])
    if _SEV_POLICY in annotations:
        policy = _number(annotations, _SEV_POLICY, prefix="")
        configuration = replace(configuration, sev_guest_policy=policy)
    return configuration


def _number(wanted: Mapping[str, str], name: str, prefix: str = _HYPERVISOR) -> int:
    text = wanted[name]
    if not text.isdecimal():
        raise ShimError(
            f'Error parsing annotation {prefix}{name}: strconv.ParseUint: parsing "{text}": invalid syntax'
        )
    return int(text)
