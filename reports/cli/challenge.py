"""`challenge`: makes a challenge for a platform, offline."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from lab.certificates import Roots
from lab.challenge.documents import make
from lab.errors import LabError
from reports.certificate.refusal import Mistake
from reports.certificate.statement import root_name
from reports.cli.common import say

if TYPE_CHECKING:
    import argparse

# Debugging and key sharing forbidden: see lab/sev_policy.py.
STRICT: Final = 0b11


def add(commands: Any) -> None:
    """Name the arguments."""
    parser = commands.add_parser(
        "challenge", help="make a challenge that only one platform's firmware can answer"
    )
    parser.add_argument(
        "--chain",
        type=Path,
        required=True,
        metavar="FILE",
        help="the platform's full certificate chain, as sevctl export --full writes it",
    )
    parser.add_argument(
        "--root",
        type=Path,
        metavar="FILE",
        help="another root than AMD's, as the chain of a simulated lab has",
    )
    parser.add_argument(
        "--policy", type=int, default=STRICT, metavar="N", help=f"the guest's SEV policy (default: {STRICT})"
    )
    parser.add_argument(
        "--public", type=Path, default=Path("challenge.json"), metavar="FILE", help="the part for the vendor"
    )
    parser.add_argument(
        "--private",
        type=Path,
        default=Path("challenge.private.json"),
        metavar="FILE",
        help="the part that stays; for its owner's eyes only",
    )
    parser.set_defaults(carry_out=_make)


def _make(chosen: argparse.Namespace) -> int:
    if not 0 <= chosen.policy < 1 << 32:
        raise Mistake(f"--policy {chosen.policy}: it is 32 bits")
    try:
        roots = Roots.of(chosen.root or "amd")
        chain = chosen.chain.read_bytes()
    except OSError as error:
        raise Mistake(f"--chain {chosen.chain}: {error.strerror}") from None
    except LabError as error:
        raise Mistake(str(error).replace("platform.root", "--root", 1)) from None
    made = make(chain, roots, chosen.policy)
    _write(chosen.private, made.model_dump_json(indent=1), 0o600)
    _write(chosen.public, made.public.model_dump_json(indent=1), 0o644)
    say(f"{made.public.id}, for the chip {made.platform.cek}")
    say(f"root: {root_name(made.platform.ark)}")
    say(f"{chosen.public}: for the vendor, who gives it to ./run --challenge")
    say(f"{chosen.private}: stays here, for reports verify --challenge")
    return 0


def _write(path: Path, text: str, mode: int) -> None:
    try:
        number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    except FileExistsError:
        raise Mistake(f"{path} is there already, and a challenge is never written over") from None
    except OSError as error:
        raise Mistake(f"{path}: it cannot be written: {error.strerror}") from None
    with os.fdopen(number, "w", encoding="utf-8") as file:
        file.write(text + "\n")
