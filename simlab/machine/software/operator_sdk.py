"""operator-sdk 1.23.0, as its release on GitHub has it: one program, that tells its version.

Source: operator-framework/operator-sdk v1.23.0, internal/cmd/operator-sdk/version/cmd.go.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

    from simlab.layout import Layout

PROGRAM: Final = "usr/local/bin/operator-sdk"
_HOST: Final = "github.com"
_PATH: Final = "operator-framework/operator-sdk/releases/download/v1.23.0/operator-sdk_linux_amd64"
URL: Final = f"https://{_HOST}/{_PATH}"

TEXT: Final = """\
#!/bin/sh
if [ "$1" = version ]; then
    echo 'operator-sdk version: "v1.23.0", commit: "1eaeb5adb56be05fe8cc6dd70517e441696846a4", \
kubernetes version: "1.24.2", go version: "go1.18.5", GOOS: "linux", GOARCH: "amd64"'
else
    echo 'Error: the simulated operator-sdk knows "version" only' >&2
    exit 1
fi
"""
SHA256: Final = hashlib.sha256(TEXT.encode()).hexdigest()


def publish(layout: Layout) -> None:
    """Put the release where the internet serves it."""
    target = layout.internet / _HOST / _PATH
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(TEXT)


def install(root: Path) -> None:
    """Do as the guide's wget and chmod."""
    (root / PROGRAM).write_text(TEXT)
    (root / PROGRAM).chmod(0o755)
