"""What is said instead of a traceback, and with which exit code."""

from __future__ import annotations

from lab.errors import LabError


class Refusal(LabError):  # noqa: N818 - reads better at its raise sites
    """Something is not what it should be: a run, an archive, a certificate. Exit code 1."""


class Mistake(LabError):  # noqa: N818 - reads better at its raise sites
    """The command line names what cannot be used, such as a key that is none. Exit code 4."""
