"""`python -m simlab.psp --init --state DIR` makes a platform; `--socket PATH --state DIR` serves it."""

from __future__ import annotations

import argparse
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from setproctitle import setproctitle

from simlab.psp import platform
from simlab.psp.firmware import SevFirmware
from simlab.psp.service import PspServer

if TYPE_CHECKING:
    from collections.abc import Callable

    from simlab.psp.platform import Platform


def main(new_firmware: Callable[[Platform], SevFirmware] = SevFirmware) -> None:
    """Make a platform, or serve it until SIGTERM. Exits with 1 and one line when it cannot."""
    parser = argparse.ArgumentParser(prog="simlab.psp", description=__doc__)
    parser.add_argument("--state", type=Path, required=True, help="the platform's folder")
    action = parser.add_mutually_exclusive_group(required=True)
    action.add_argument("--init", action="store_true", help="make a new platform in the folder")
    action.add_argument("--socket", type=Path, help="where to serve the platform")
    arguments = parser.parse_args()
    if arguments.init:
        platform.create(arguments.state)
        return
    try:
        chip = platform.load(arguments.state)
        server = PspServer(arguments.socket, new_firmware(chip))
    except (OSError, ValueError, TypeError) as error:
        sys.exit(f"simlab.psp: {error}")
    setproctitle("simlab-psp")
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: server.stop())
    version = chip.firmware
    sys.stderr.write(f"SEV API:{version.api_major}.{version.api_minor} build:{version.build}\n")
    sys.stderr.flush()
    with server:
        server.serve_forever(poll_interval=0.1)


if __name__ == "__main__":
    main()
