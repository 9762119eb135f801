"""The four DaemonSets that the manager makes from a CcRuntime.

Source: operator v0.3.0 and v0.7.0, `controllers/ccruntime_controller.go`, processDaemonset and
makeHookDaemonset.
"""

from __future__ import annotations

from typing import Any, Final

from simlab.operator import names

Object = dict[str, Any]

# The names are not built alike: the word for the operation comes last, or first.
DAEMON_NAMES: Final = {
    names.PRE_INSTALL: "cc-operator-pre-install-daemon",
    names.INSTALL: "cc-operator-daemon-install",
    names.UNINSTALL: "cc-operator-daemon-uninstall",
    names.POST_UNINSTALL: "cc-operator-post-uninstall-daemon",
}
_SCRIPTS: Final = "/opt/confidential-containers-pre-install-artifacts/scripts"
_NODE_NAME: Final = {"name": "NODE_NAME", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}}


def installer(runtime: Object, operation: str, namespace: str) -> Object:
    """Return the DaemonSet that installs or uninstalls the runtime; it belongs to the CcRuntime."""
    config = runtime["spec"]["config"]
    container: Object = {
        "name": "cc-runtime-install-pod",
        "image": config["payloadImage"],
        "command": config.get("installCmd" if operation == names.INSTALL else "uninstallCmd", []),
        "env": config.get("environmentVariables", []),
        "volumeMounts": config.get("installerVolumeMounts", []),
    }
    if operation == names.INSTALL:
        container["lifecycle"] = {"preStop": {"exec": {"command": config.get("cleanupCmd", [])}}}
        selector = _selector(runtime)
    else:
        selector = config.get("uninstallDoneLabel", {})
    daemon = _daemon(operation, namespace, selector, container, config.get("installerVolumes", []))
    daemon["metadata"]["ownerReferences"] = [owner_reference(runtime)]
    return daemon


def hook(runtime: Object, operation: str, namespace: str) -> Object:
    """Return the DaemonSet that runs before an installation or after an uninstallation; nobody owns it."""
    part = "preInstall" if operation == names.PRE_INSTALL else "postUninstall"
    config = runtime["spec"]["config"].get(part, {})
    container = {
        "name": f"cc-runtime-{operation}-pod",
        "image": config.get("image", ""),
        "command": ["/bin/sh", "-c", f"{_SCRIPTS}/{operation}.sh"],
        "env": [_NODE_NAME, *config.get("environmentVariables", [])],
        "volumeMounts": config.get("volumeMounts", []),
    }
    return _daemon(operation, namespace, _selector(runtime), container, config.get("volumes", []))


def owner_reference(runtime: Object) -> Object:
    """Return the reference by which a CcRuntime owns an object and controls it."""
    return {
        "apiVersion": names.API_VERSION,
        "kind": "CcRuntime",
        "name": runtime["metadata"]["name"],
        "uid": runtime["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }


def _selector(runtime: Object) -> dict[str, str]:
    chosen = runtime["spec"]["ccNodeSelector"]
    return dict(chosen.get("matchLabels", {}))


def _daemon(
    operation: str, namespace: str, selector: dict[str, str], container: Object, volumes: list[Object]
) -> Object:
    name = DAEMON_NAMES[operation]
    return {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "selector": {"matchLabels": {"name": name}},
            "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1}},
            "template": {
                "metadata": {"labels": {"name": name}},
                "spec": {
                    "serviceAccountName": names.ACCOUNT,
                    "nodeSelector": selector,
                    "containers": [
                        container
                        | {
                            "imagePullPolicy": "Always",
                            "securityContext": {"privileged": True, "runAsUser": 0},
                        }
                    ],
                    "volumes": volumes,
                },
            },
        },
    }
