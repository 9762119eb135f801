from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from lab.errors import LabError, NotProven
from lab.guest_registry import GuestRegistry
from lab.record import MemoryRecord
from lab.registry_http import Login, RegistryHttp
from lab.secret import Secret

if TYPE_CHECKING:
    from lab.host import Host

REPOSITORY = "registry.example/own/images"
LOGIN = Login("robot", Secret('pass"word'))
OFFER = 'Bearer realm="https://registry.example/token",service="r",scope="repository:own/images:pull,push"'
BLOB, MANIFEST = "sha256:b", "sha256:m"


def http(status: int, body: str = "", **headers: str) -> str:
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {status} Said\r\n{lines}\r\n{body}"


@dataclass
class Curl:
    """A host whose curl meets a registry that takes images from one account, and deletes, or does not."""

    deletes: int = 202
    there: bool = True
    location: str = "/v2/own/images/blobs/uploads/7?state=x"
    seen: list[str] = field(default_factory=list)
    stdin: list[str] = field(default_factory=list)

    def run(self, command: str, *args: str, **options: Any) -> Any:
        self.seen.append(" ".join((command, *args)))
        self.stdin.append(options["input"])
        return SimpleNamespace(stdout=self._answer(command, args, options["input"]), succeeded=True)

    def _answer(self, command: str, args: tuple[str, ...], given: str) -> str:
        url = args[-1]
        if url.endswith(MANIFEST) and "--request" not in command:
            return http(200 if self.there else 404)
        if "--get" in command:
            assert given == 'user = "robot:pass\\"word"\n'
            return '{"token": "t0ken"}'
        if given != 'header = "Authorization: Bearer t0ken"\n':
            return http(401, Www_Authenticate=OFFER)
        if "DELETE" in args:
            return http(self.deletes)
        if url.endswith("/blobs/uploads/"):
            return http(202, Location=self.location)
        return http(201)


def registry(curl: Curl, record: MemoryRecord | None = None) -> GuestRegistry:
    return GuestRegistry(
        repository=REPOSITORY,
        login=LOGIN,
        host=cast("Host", curl),
        seconds=9,
        record=record or MemoryRecord(),
    )


@pytest.mark.parametrize(
    "location", ["/v2/own/images/blobs/uploads/7?state=x", "https://registry.example/v2/up?state=x"]
)
def test_an_image_is_pushed_and_no_command_line_shows_who_pushes(location: str) -> None:
    curl = Curl(location=location)
    registry(curl).push({BLOB: "/run/b"}, (MANIFEST, "/run/m"))
    joined = "\n".join(curl.seen)
    assert "pass" not in joined
    assert "t0ken" not in joined
    whole = location if location.startswith("https") else f"https://registry.example{location}"
    assert f"@/run/b {whole}&digest={BLOB}" in joined
    assert curl.seen[-1].endswith(
        f"@/run/m https://{REPOSITORY.replace('/', '/v2/', 1)}/manifests/{MANIFEST}"
    )
    assert len([each for each in curl.seen if "--get" in each]) == 1, "one token does"


def test_a_registry_that_does_not_take_it_is_a_precondition() -> None:
    with pytest.raises(NotProven, match=r"registry\.example/own/images does not take the suite's image"):
        GuestRegistry(
            repository=REPOSITORY, login=None, host=cast("Host", Refusing()), seconds=9, record=MemoryRecord()
        ).push({BLOB: "/run/b"}, (MANIFEST, "/run/m"))


def test_a_login_that_is_refused_is_named_without_its_password() -> None:
    class Wrong:
        def run(self, command: str, *_: str, **__: Any) -> Any:
            if "--get" in command:
                return SimpleNamespace(succeeded=False, stderr="curl: (22) returned error: 401\n")
            return SimpleNamespace(stdout=http(401, Www_Authenticate=OFFER))

    with pytest.raises(ValueError, match=r"token gives robot no token: curl: \(22\)") as error:
        RegistryHttp(cast("Host", Wrong()), LOGIN).ask("https://registry.example/v2/own/images/x")
    assert "pass" not in str(error.value)


class Refusing:
    def run(self, *_: str, **__: Any) -> Any:
        return SimpleNamespace(stdout=http(403, '{"errors": [{"code": "DENIED"}]}'))


def test_what_the_registry_does_not_delete_is_told() -> None:
    record = MemoryRecord()
    assert registry(Curl(), record).delete(REPOSITORY, MANIFEST) == "deleted"
    assert record.findings == []
    assert "left in the registry" in registry(Curl(deletes=405), record).delete(REPOSITORY, MANIFEST)
    assert [REPOSITORY in finding.detail for finding in record.findings] == [True]
    assert registry(Curl(deletes=404)).delete(REPOSITORY, MANIFEST) == "deleted"
    assert registry(Curl(there=False)).delete(REPOSITORY, MANIFEST) == "not there"
    with pytest.raises(LabError, match="is not deleted: status 500"):
        registry(Curl(deletes=500)).delete(REPOSITORY, MANIFEST)
    with pytest.raises(LabError, match="name that repository in guest_registry again"):
        registry(Curl()).delete("registry.example/another", MANIFEST)


def test_without_a_registry_the_setting_is_named() -> None:
    none = GuestRegistry(
        repository=None, login=None, host=cast("Host", Curl()), seconds=9, record=MemoryRecord()
    )
    with pytest.raises(NotProven, match=r"set guest_registry\.repository"):
        none.require()


def test_a_blob_may_lie_with_another_server() -> None:
    class Redirecting:
        def run(self, command: str, *args: str, **_: Any) -> Any:
            assert "--location --dump-header -" in command
            assert args[:4] == ("Expect:", "/run/blob", "https://registry.example/blob")[:4]
            return SimpleNamespace(stdout=http(307, Location="https://cdn.example/x") + http(200))

    answer = RegistryHttp(cast("Host", Redirecting())).ask("https://registry.example/blob", to="/run/blob")
    assert answer.status == 200


def test_an_answer_s_body_may_look_like_another_answer() -> None:
    class Odd:
        def run(self, *_: str, **__: Any) -> Any:
            return SimpleNamespace(stdout=http(200, "HTTP/1.1 500 No\r\n\r\n", X="y"))

    answer = RegistryHttp(cast("Host", Odd())).ask("https://registry.example/x")
    assert (answer.status, answer.headers) == (200, {"x": "y"})
