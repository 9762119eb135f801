"""containerd's own command line: printing its default configuration. The daemon is the lab's node agent."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

_DEFAULT: Final = Path("/usr/local/lib/simlab/containerd-default.toml")


def main() -> int:
    """Carry out one command; returns the exit status."""
    match sys.argv[1:]:
        case ["config", "default"]:
            sys.stdout.write(_DEFAULT.read_text())
            return 0
        case ["--version"] | ["-v"] | ["version"]:
            sys.stdout.write("containerd containerd.io 1.6.12 a05d175400b1145e5e6a735a6710579d181e7fb0\n")
            return 0
    sys.stderr.write("containerd: the simulated host knows `containerd config default` and `--version`\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
