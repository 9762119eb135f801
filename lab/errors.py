"""What can go wrong with a lab, told apart by what it says about the verdict.

A verdict is decided by the kind of the exception that ends a scenario, so that no driver has to know of
verdicts: an `AssertionError` blames the system under test (failed), `NotProven` a precondition,
`NotApplicable` the profile or the platform, and everything else the way to the lab or the suite (broken).
"""

from __future__ import annotations


class LabError(Exception):
    """One clear line about a lab: what was wrong, where, what was found, and what to do. Never a secret."""


class NotProven(LabError):  # noqa: N818 - named after its verdict
    """A precondition does not hold. `owner` is the clause that owns the fact, or None."""

    def __init__(self, cause: str, *, owner: str | None = None) -> None:
        super().__init__(cause if owner is None else f"{cause} ({owner})")
        self.cause = cause
        self.owner = owner


class NotPermitted(NotProven):
    """An operation needs a permission that the lab file does not give."""

    def __init__(self, permission: str, what: str) -> None:
        super().__init__(
            f"{what} needs the permission {permission!r}: set permissions.{permission} = true in the lab file"
        )
        self.permission = permission


class NotApplicable(LabError):  # noqa: N818 - named after its verdict
    """The profile or the platform excludes what the scenario proves."""


class Unreachable(LabError):  # noqa: N818 - reads better at its raise sites
    """A service of the lab cannot be reached or refuses who we are.

    `service` is one of host, cluster, kbs, database. At the first contact it makes every scenario that
    needs the service *not proven*; when the service was reached before, the running scenario is *broken*.
    """

    def __init__(self, service: str, cause: str) -> None:
        super().__init__(f"{service}: {cause}")
        self.service = service
        self.cause = cause


class DeadlineExceeded(LabError):  # noqa: N818 - the field's own name
    """A wait ran into its deadline: the message names what for, how long, and the last thing seen."""


class ConnectionLost(Unreachable):
    """The connection to the host broke while it was used.

    With `sent`, what was under way may or may not have happened; without, it never reached the host.
    """

    def __init__(self, cause: str, *, sent: bool = True) -> None:
        super().__init__("host", cause)
        self.sent = sent


class HostRebooted(Unreachable):
    """The host answers again, but from another boot than before, and nobody here asked for that."""

    def __init__(self, cause: str) -> None:
        super().__init__("host", cause)


class CommandFailed(LabError):  # noqa: N818 - reads better at its raise sites
    """A command on the host ended with an exit code that is not a success."""

    def __init__(self, command: str, exit_code: int, stderr: str) -> None:
        lines = [line.strip() for line in stderr.splitlines() if line.strip()]
        said = " / ".join(lines[-3:]) or "it said nothing on stderr"
        super().__init__(f"`{command}` ended with exit code {exit_code}: {said}")
        self.command = command
        self.exit_code = exit_code
        self.stderr = stderr


class HostFileError(LabError):
    """A file on the host could not be read or written."""

    def __init__(self, path: str, cause: str) -> None:
        super().__init__(f"{path} on the host: {cause}")
        self.path = path
        self.cause = cause


class NoSuchHostFile(HostFileError):  # noqa: N818 - reads better at its raise sites
    """A file that was asked for is not on the host."""

    def __init__(self, path: str) -> None:
        super().__init__(path, "no such file")


class ForwardRefused(LabError):  # noqa: N818 - reads better at its raise sites
    """The host was reached, but it could not reach the address that a forwarded channel names."""

    def __init__(self, address: str, cause: str) -> None:
        super().__init__(f"the host cannot reach {address}: {cause}")
        self.address = address
        self.cause = cause


class MalformedRow(LabError):  # noqa: N818 - reads better at its raise sites
    """A row of the KBS's database holds what neither the suite nor the KBS can read."""


class ApiRefused(LabError):  # noqa: N818 - reads better at its raise sites
    """The Kubernetes API answered a request with a refusal: its HTTP status, its reason and its message."""

    def __init__(self, what: str, status: int, reason: str, message: str) -> None:
        super().__init__(f"the Kubernetes API refused to {what}: {status} {reason}: {message}")
        self.status = status
        self.reason = reason
        self.message = message
