"""Names that the operator v0.3.0 gives and looks for.

Source: operator v0.3.0 `controllers/common.go`, `controllers/ccruntime_controller.go`, `config/`.
"""

from __future__ import annotations

from typing import Final

NAMESPACE: Final = "confidential-containers-system"
ACCOUNT: Final = "cc-operator-controller-manager"
LEASE: Final = "69bf4d38.confidentialcontainers.org"

API_VERSION: Final = "confidentialcontainers.org/v1beta1"
CC_RUNTIMES: Final = f"/apis/{API_VERSION}/ccruntimes"
FINALIZER: Final = "runtimeconfig.confidentialcontainers.org/finalizer"

PRE_INSTALL: Final = "pre-install"
INSTALL: Final = "install"
UNINSTALL: Final = "uninstall"
POST_UNINSTALL: Final = "post-uninstall"

KATA_RUNTIME_LABEL: Final = "katacontainers.io/kata-runtime"
WORKER: Final = {"node-role.kubernetes.io/worker": ""}
PRE_INSTALL_DONE: Final = {"cc-preinstall/done": "true"}
POST_UNINSTALL_DONE: Final = {"cc-postuninstall/done": "true"}

MANAGER_IMAGE: Final = ("confidential-containers/operator", "v0.2.0")
PROXY_IMAGE: Final = ("brancz/kube-rbac-proxy", "v0.13.0")
ENGINE_IMAGE: Final = (
    "confidential-containers/container-engine-for-cc-payload",
    "1def978fdf6b0cb2383d43970c3dc484df3cad54",
)
RUNTIME_IMAGE: Final = (
    "confidential-containers/runtime-payload",
    "kata-containers-b91337afef54d94e7f6458a0d1548e921dab6ea0-x86_64",
)
