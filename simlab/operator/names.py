"""Names that the operator gives and looks for, the same in v0.3.0 and v0.7.0.

Source: operator v0.3.0 and v0.7.0, `controllers/common.go`, `controllers/ccruntime_controller.go`, `config/`.
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
PRE_INSTALL_DONE: Final = {"cc-preinstall/done": "true"}
POST_UNINSTALL_DONE: Final = {"cc-postuninstall/done": "true"}
