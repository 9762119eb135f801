"""A registry's API over HTTPS, asked by the host's curl (OCI distribution specification 1.0).

The host reaches the registries that its guests reach, and trusts whom the guide's programs trust. Tokens:
distribution, docs/spec/auth/token.md. Logins and tokens go by stdin: a command line can be read by everybody
on the host.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lab.deadline import Deadline
    from lab.host import Host
    from lab.secret import Secret


@dataclass(frozen=True)
class Login:
    """Who the suite is to a registry."""

    user: str
    password: Secret

    @property
    def pair(self) -> str:
        """User and password, as HTTP joins them."""
        return f"{self.user}:{self.password.reveal()}"

    @property
    def curl(self) -> str:
        """As a line of curl's configuration."""
        return f"user = {_quoted(self.pair)}\n"


@dataclass(frozen=True)
class HttpAnswer:
    """What a registry answered; `headers` have lower-case names."""

    status: int
    headers: dict[str, str]
    body: str

    def __str__(self) -> str:
        said = re.sub(r"\s+", " ", self.body).strip()[:200]
        return f"status {self.status}" + (f", {said}" if said else "")


class RegistryHttp:
    """Asks registries, with a login where they want one. A token is kept for the next question."""

    def __init__(self, host: Host, login: Login | None = None) -> None:
        self._host = host
        self._login = login
        self._authorization = ""

    def ask(
        self,
        url: str,
        *headers: str,
        method: str = "GET",
        body: str | None = None,
        to: str | None = None,
        deadline: Deadline | float | None = None,
    ) -> HttpAnswer:
        """Ask once, and once more with a token where the registry wants one.

        `body` is a file on the host with what is sent, `to` one that takes what comes. Raises CommandFailed
        where curl gets no answer, LookupError and ValueError where the answer is no registry's.
        """
        command, values = _curl(url, headers, method=method, body=body, to=to)

        def answer() -> HttpAnswer:
            got = self._host.run(
                command,
                *values,
                input=self._authorization,
                reads=method == "GET" and to is None,
                deadline=deadline,
            )
            return _parsed(got.stdout)

        first = answer()
        if first.status != 401:
            return first
        self._authorize(first.headers["www-authenticate"])
        return answer()

    def _authorize(self, challenge: str) -> None:
        if challenge.lower().startswith("basic"):
            self._authorization = self._login.curl if self._login else ""
            return
        fields = dict(re.findall(r'(\w+)="([^"]*)"', challenge))
        options = [f"{name}={fields[name]}" for name in ("service", "scope") if name in fields]
        command = "curl --fail --silent --show-error --config - --get %s" + " --data-urlencode %s" * len(
            options
        )
        answer = self._host.run(
            command,
            fields["realm"],
            *options,
            input=self._login.curl if self._login else "",
            check=False,
            reads=True,
            sensitive=True,
        )
        if not answer.succeeded:
            who = self._login.user if self._login else "nobody in particular"
            raise ValueError(f"{fields['realm']} gives {who} no token: {answer.stderr.strip()}")
        given = json.loads(answer.stdout)
        token = str(given.get("token") or given["access_token"])
        self._authorization = f"header = {_quoted(f'Authorization: Bearer {token}')}\n"


def _curl(
    url: str, headers: tuple[str, ...], *, method: str, body: str | None, to: str | None
) -> tuple[str, list[str]]:
    """The command and its values. Without "Expect:" curl would ask before it sends much."""
    options = [("--header", header) for header in ("Expect:", *headers)]
    if method != "GET":
        options.append(("--request", method))
    if body is not None:
        options.append(("--data-binary", f"@{body}"))
    shown = "--include"
    if to is not None:
        # A blob may lie with another server, to which its registry sends.
        options.append(("--output", to))
        shown = "--location --dump-header -"
    words = "".join(f" {option} %s" for option, _ in options)
    command = f"curl --silent --show-error --suppress-connect-headers {shown} --config -{words} -- %s"
    return command, [*(value for _, value in options), url]


def _parsed(text: str) -> HttpAnswer:
    """The last answer in what curl showed: those before it sent elsewhere."""
    heads = text.replace("\r\n", "\n")
    head, _, body = heads.partition("\n\n")
    while re.match(r"HTTP/\S+ 3\d\d", head) and body.startswith("HTTP/"):
        head, _, body = body.partition("\n\n")
    status, *lines = head.splitlines()
    named = (line.partition(":") for line in lines)
    headers = {name.strip().lower(): value.strip() for name, _, value in named}
    return HttpAnswer(int(status.split()[1]), headers, body)


def _quoted(text: str) -> str:
    """A value in curl's configuration (curl(1), --config)."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
