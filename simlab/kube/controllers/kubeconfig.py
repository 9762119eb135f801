"""What controllers read from a kubeconfig beside the connection: the cluster's certificate authority."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import yaml


def authority_of(path: Path) -> str:
    """Return the PEM of the authority of a kubeconfig's current cluster; empty if it names none."""
    document: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    contexts = {item["name"]: item["context"] for item in document["contexts"]}
    clusters = {item["name"]: item["cluster"] for item in document["clusters"]}
    cluster = clusters[contexts[document["current-context"]]["cluster"]]
    if data := cluster.get("certificate-authority-data"):
        return base64.b64decode(data).decode()
    if file := cluster.get("certificate-authority"):
        return Path(file).read_text(encoding="utf-8")
    return ""
