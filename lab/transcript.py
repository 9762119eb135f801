"""A command as evidence: what a person would have seen in a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.secret import MASK

if TYPE_CHECKING:
    from lab.execution import Result

# Characters of each stream that evidence keeps: the beginning and the end say most.
KEPT = 1 << 16


def transcript(shown: str, result: Result, *, hidden: bool) -> str:
    """The command, its streams and its exit code; `hidden` masks the streams."""
    parts = [f"$ {shown}"]
    stdout, stderr = (MASK, "") if hidden else (result.stdout, result.stderr)
    if stdout:
        parts.append(_middle_cut(stdout.rstrip("\n")))
    if stderr:
        parts.append(f"--- stderr\n{_middle_cut(stderr.rstrip())}")
    cut = ", output cut at its limit" if result.truncated else ""
    parts.append(f"--- exit code {result.exit_code} after {result.seconds:.2f} s{cut}")
    return "\n".join(parts)


def _middle_cut(text: str) -> str:
    if len(text) <= KEPT:
        return text
    half = KEPT // 2
    return f"{text[:half]}\n[… {len(text) - KEPT} characters …]\n{text[-half:]}"
