"""`python -m simlab.internet --root DIR`: HTTPS for every host of the simulated internet, until SIGTERM."""

from __future__ import annotations

import argparse
import ssl
from pathlib import Path

from aiohttp import web
from setproctitle import setproctitle

from simlab import addresses
from simlab.internet.server import application
from simlab.layout import Layout


def main() -> None:
    """Serve until SIGTERM."""
    parser = argparse.ArgumentParser(prog="python -m simlab.internet")
    parser.add_argument("--root", required=True, type=Path, metavar="DIR", help="the lab's folder")
    parser.add_argument("--listen", default=f"{addresses.INTERNET_IP}:443", metavar="ADDRESS:PORT")
    options = parser.parse_args()
    layout = Layout(options.root)
    host, _, port = options.listen.rpartition(":")
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(layout.pki / "internet.crt", layout.pki / "internet.key")
    setproctitle("simlab: internet")
    web.run_app(application(layout), host=host, port=int(port), ssl_context=tls, print=None)


if __name__ == "__main__":
    main()
