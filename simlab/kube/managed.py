"""placeholder"""

from __future__ import annotations
from typing import Any


def record_create(*a: Any) -> None: ...
def record_update(*a: Any) -> None: ...
def merge_applied(resource: Any, current: Any, applied: Any, manager: str, part: str, *, force: bool) -> Any:
    from simlab.kube.strategic import strategic_merge

    return strategic_merge(current, applied, resource.model)


def owners(obj: Any) -> Any:
    return None
