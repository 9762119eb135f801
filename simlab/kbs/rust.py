"""What Rust itself does in simple-kbs: logging, panics, and the way that it prints a value."""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
from typing import Final

_LEVELS: Final = {
    "off": logging.CRITICAL + 1,
    "error": logging.ERROR,
    "warn": logging.WARNING,
    "info": logging.INFO,
    "debug": logging.DEBUG,
    "trace": logging.DEBUG,
}
_NAMES: Final = {logging.WARNING: "WARN"}
_ESCAPES: Final = {
    '"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\0": "\\0",
}  # fmt: skip


class PanicError(Exception):
    """A panic: the request's task dies, the client's stream is reset, and the server goes on.

    `where` is the line of simple-kbs 0.1.1, or of a library that it is built with, that panics.
    """

    def __init__(self, message: str, where: str) -> None:
        super().__init__(message)
        self.where = where

    def report(self) -> None:
        """Say on stderr what the panic handler says, of Rust 1.95: the Dockerfile asks for the newest 1.x."""
        thread = threading.get_native_id()
        text = f"\nthread 'tokio-runtime-worker' ({thread}) panicked at {self.where}:\n{self}\n"
        if not _noted.is_set():
            text += "note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace\n"
            _noted.set()
        sys.stderr.write(text)
        sys.stderr.flush()


_noted: Final = threading.Event()


def unwrap_panic(error: object, where: str) -> PanicError:
    """Return the panic of an `unwrap()` on an error, which Rust shows as `debug` has it, or as its text."""
    shown = getattr(error, "debug", error)
    return PanicError(f"called `Result::unwrap()` on an `Err` value: {shown}", where)


def library(path: str) -> str:
    """Return where a library's source is in simple-kbs' container: `CRATE-VERSION/src/FILE:LINE:COLUMN`."""
    return f"/usr/local/cargo/registry/src/index.crates.io-1949cf8c6b5b557f/{path}"


class _Formatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        level = _NAMES.get(record.levelno, record.levelname)
        stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(record.created))
        return f"[{stamp} {level:<5} {record.name.replace('.', '::')}] {record.getMessage()}"


def start_logging() -> None:
    """Log to stderr as env_logger 0.9 does: RUST_LOG names the level, and without it only errors are shown.

    Of RUST_LOG's filters, only a level for everything, and one for `simple_kbs`, are understood.
    """
    level = logging.ERROR
    for directive in os.environ.get("RUST_LOG", "").split(","):
        module, _, name = directive.strip().rpartition("=")
        if module in ("", "simple_kbs") and name.lower() in _LEVELS:
            level = _LEVELS[name.lower()]
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Formatter())
    logger = logging.getLogger("simple_kbs")
    logger.handlers = [handler]
    logger.propagate = False
    logger.setLevel(level)


def logger(module: str | None = None) -> logging.Logger:
    """Return the logger of simple-kbs or of a module of it; records carry Rust's path, `simple_kbs::grpc`."""
    root = logging.getLogger("simple_kbs")
    return root.getChild(module) if module else root


def debug(value: str) -> str:
    """Return a string as Rust's `{:?}` prints it."""
    return '"' + "".join(_debug_character(character) for character in value) + '"'


def debug_char(character: str) -> str:
    """Return a character as Rust's `{:?}` prints it."""
    shown = {"'": "\\'", '"': '"'}.get(character) or _debug_character(character)
    return f"'{shown}'"


def _debug_character(character: str) -> str:
    if character in _ESCAPES:
        return _ESCAPES[character]
    return character if character.isprintable() else f"\\u{{{ord(character):x}}}"
