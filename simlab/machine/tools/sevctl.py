"""sevctl 0.4: export, show, rotate and reset, on the platform behind /dev/sev.

Source: virtee/sevctl v0.4.3, src/main.rs. Its built-in vendor chains are AMD's; here it is the lab's own.
"""

from __future__ import annotations

import argparse
import base64
import json
import socket
import ssl
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any, Final

_DEVICE: Final = "/dev/sev"
_KEY_SERVICE: Final = "https://kdsintf.amd.com/cek/id"
_BUILT_IN_CHAIN: Final = Path("/usr/local/share/sevctl/ask_ark.cert")
_CA_BUNDLE: Final = "/etc/pki/tls/certs/ca-bundle.crt"

_TRIES: Final = 4
_RETRY_SECONDS: Final = 5
# A certificate of the SEV API (55766, appendix C) is this long.
_CERTIFICATE_BYTES: Final = 2084


class SevctlError(Exception):
    """What failed, and the causes of it, outermost first."""


def main() -> int:
    """Carry out one command; returns the exit status."""
    options = _parse()
    try:
        options.run(options)
    except SevctlError as error:
        if not options.quiet:
            summary, *causes = error.args
            sys.stderr.write(f"Error: {summary}\n")
            if causes:
                sys.stderr.write("\nCaused by:\n" + "".join(f"    {cause}\n" for cause in causes))
        return 1
    return 0


def export(options: argparse.Namespace) -> None:
    """Write PDH, PEK, OCA and CEK (signed, from the key service), and with --full ASK and ARK after them."""
    answer = _command("PDH_CERT_EXPORT", "unable to export SEV certificates")
    pdh, chain = (base64.b64decode(answer[name]) for name in ("pdh", "chain"))
    pek_and_oca = chain[: 2 * _CERTIFICATE_BYTES]
    identifier = _command("GET_ID", "error fetching identifier")["id"]
    certificates = pdh + pek_and_oca + _download(f"{_KEY_SERVICE}/{identifier}")
    if options.full:
        certificates += _BUILT_IN_CHAIN.read_bytes()
    try:
        Path(options.destination).write_bytes(certificates)
    except OSError as error:
        raise SevctlError("unable to create output file", _reason(error)) from None


def show(options: argparse.Namespace) -> None:
    """Print one fact of the platform."""
    if options.what == "identifier":
        fact = _command("GET_ID", "error fetching identifier")["id"]
    else:
        status = _command("PLATFORM_STATUS", "unable to fetch platform status")
        version = f"{status['api_major']}.{status['api_minor']}.{status['build']}"
        fact = version if options.what == "version" else status["guest_count"]
    sys.stdout.write(f"{fact}\n")


def rotate(_options: argparse.Namespace) -> None:
    """Make a new PDH."""
    _command("PDH_GEN", "unable to rotate PDH")


def reset(_options: argparse.Namespace) -> None:
    """Make the platform forget its owner."""
    _command("PLATFORM_RESET", "error resetting platform")


def _command(name: str, on_refusal: str) -> dict[str, Any]:
    try:
        with socket.socket(socket.AF_UNIX) as device:
            device.connect(_DEVICE)
            with device.makefile("rw") as stream:
                stream.write(json.dumps({"command": name}) + "\n")
                stream.flush()
                answer = json.loads(stream.readline())
    except OSError as error:
        raise SevctlError("unable to open /dev/sev", _reason(error)) from None
    if "error" in answer:
        raise SevctlError(on_refusal, answer["error"]["name"])
    result: dict[str, Any] = answer["result"]
    return result


def _download(url: str) -> bytes:
    """Fetch a certificate, and try again when the service answers with an error."""
    context = ssl.create_default_context(cafile=_CA_BUNDLE)
    refusals = []
    for attempt in range(1, _TRIES + 1):
        try:
            with urllib.request.urlopen(url, context=context, timeout=30) as response:  # noqa: S310 -- https
                certificate: bytes = response.read()
        except urllib.error.HTTPError as error:
            refusals.append(f"http request #{attempt} failed: {error.code}")
            if attempt < _TRIES:
                time.sleep(int(error.headers.get("retry-after", _RETRY_SECONDS)))
        except (urllib.error.URLError, OSError) as error:
            raise SevctlError("transport error", str(getattr(error, "reason", error))) from None
        else:
            if len(certificate) != _CERTIFICATE_BYTES:
                raise SevctlError("failed to decode CEK certificate")
            return certificate
    raise SevctlError(f"final http request failed: {url}", "; ".join(refusals))


def _reason(error: OSError) -> str:
    return f"{error.strerror} (os error {error.errno})"


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="sevctl", description="Utilities for managing the SEV environment")
    parser.add_argument("--quiet", "-q", action="store_true", help="don't print anything to the console")
    parser.add_argument("--version", "-V", action="version", version="sevctl 0.4.3")
    commands = parser.add_subparsers(required=True, metavar="SUBCOMMAND")
    sub = commands.add_parser("export", help="export the SEV or entire certificate chain")
    sub.add_argument(
        "--full", "-f", action="store_true", help="the entire certificate chain (SEV + CA chain)"
    )
    sub.add_argument("destination", help="certificate chain output file path")
    sub.set_defaults(run=export)
    sub = commands.add_parser("show", help="display information about the SEV platform")
    sub.add_argument("what", choices=("guests", "identifier", "version"))
    sub.set_defaults(run=show)
    for name, run, text in (
        ("rotate", rotate, "rotate PDH"),
        ("reset", reset, "reset the SEV platform state"),
    ):
        commands.add_parser(name, help=text).set_defaults(run=run)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
