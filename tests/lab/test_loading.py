from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from lab.errors import LabError
from lab.labfile import LabFile, SecretSource
from lab.loading import LabFileErrors, load_lab, load_profile, resolve

if TYPE_CHECKING:
    from lab.profile import Profile

ROOT = Path(__file__).parents[2]
PROFILES = ROOT / "profiles"
GOOD = """\
name = "lab-1"
profile = "anolis-8.6-coco-0.3.0"

[ssh]
host = "sev.example"
key = "files/id_ed25519"
known_hosts = "files/known_hosts"

[kbs.database]
password = { env = "KBS_PASSWORD" }

[files.initrd_online]
url = "https://mirror.example/online.img"
sha256 = "DIGEST"

[files.initrd_offline]
path = "files/offline.img"
sha256 = "DIGEST"

[pins]
firmware = "DIGEST"
kernel = "DIGEST"
""".replace("DIGEST", "0" * 64)
ENVIRONMENT = {"KBS_PASSWORD": "kbspassword"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    files = tmp_path / "files"
    files.mkdir()
    for name in ("id_ed25519", "known_hosts", "offline.img", "secret"):
        (files / name).write_text("first line\nsecond line\n")
    return tmp_path


def load(folder: Path, text: str, environment: dict[str, str] | None = None) -> tuple[LabFile, Profile]:
    file = folder / "lab.toml"
    file.write_bytes(text.encode())
    return load_lab(file, PROFILES, ENVIRONMENT if environment is None else environment)


def complaints(folder: Path, text: str, environment: dict[str, str] | None = None) -> list[str]:
    """The lines of the error, without the folder."""
    with pytest.raises(LabFileErrors) as error:
        load(folder, text, environment)
    return str(error.value).replace(f"{folder}/", "").splitlines()


def test_a_good_file_gives_lab_and_profile_with_absolute_paths(folder: Path) -> None:
    lab, profile = load(folder, GOOD)
    assert lab.ssh.host == "sev.example"
    assert lab.ssh.known_hosts == folder / "files/known_hosts"
    assert lab.files.initrd_offline.path == folder / "files/offline.img"
    assert lab.kbs.database.password == SecretSource(env="KBS_PASSWORD")
    assert profile.name == lab.profile


def test_paths_are_relative_to_the_lab_file_and_not_to_where_the_suite_runs(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder / "files")
    (folder / "lab.toml").write_text(GOOD)
    lab, _ = load_lab(Path("../lab.toml"), PROFILES, ENVIRONMENT)
    assert lab.ssh.known_hosts.samefile(folder / "files/known_hosts")
    assert lab.ssh.known_hosts.is_absolute()


def test_a_path_may_begin_at_home(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(folder))
    lab, _ = load(folder, GOOD.replace('"files/id_ed25519"', '"~/files/id_ed25519"'))
    assert lab.ssh.key == folder / "files/id_ed25519"


MANY = """\
name = "two words"
profle = "anolis-8.6-coco-0.3.0"
[ssh]
hsot = "sev.example"
port = "22"
user = 3
key = "missing"
known_hosts = "files/known_hosts"
become = "su"
kubeconfig = "/etc/kubernetes/admin.conf"
jump = [
  { host = "a" },
  3,
]
[cluster]
reach = "dierct"
kubeconfig = "/a"
[kbs]
reach = "direct"
[kbs.database]
password = { env = "NOT_SET" }
[files]
initrd_online = { url = "ftp://a", sha256 = "00" }
[timeouts]
connect = 0
download = 1979-05-27
[permissions]
reboot = 1
"""


def test_all_mistakes_are_told_at_once_in_the_order_of_their_lines(folder: Path) -> None:
    lines = complaints(folder, MANY)
    found = [tuple(line.split(": ", 2)) for line in lines]
    assert [(place, path) for place, path, _ in found] == [
        ("lab.toml:1", "name"),
        ("lab.toml:1", "pins"),
        ("lab.toml:2", "profle"),
        ("lab.toml:4", "ssh.hsot"),
        ("lab.toml:5", "ssh.port"),
        ("lab.toml:6", "ssh.user"),
        ("lab.toml:7", "ssh.key"),
        ("lab.toml:9", "ssh.become"),
        ("lab.toml:10", "ssh.kubeconfig"),
        ("lab.toml:12", "ssh.jump[0].known_hosts"),
        ("lab.toml:13", "ssh.jump[1]"),
        ("lab.toml:16", "cluster.reach"),
        ("lab.toml:21", "kbs.database.password.env"),
        ("lab.toml:22", "files.initrd_offline"),
        ("lab.toml:23", "files.initrd_online.sha256"),
        ("lab.toml:23", "files.initrd_online.url"),
        ("lab.toml:25", "timeouts.connect"),
        ("lab.toml:26", "timeouts.download"),
        ("lab.toml:28", "permissions.reboot"),
    ]
    assert all(what.startswith("found ") and ", allowed " in what for _, _, what in found)


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        (
            'host = "sev.example"',
            "port = 22",
            "4: ssh.host: found nothing, allowed a host name or an address",
        ),
        (
            'host = "sev',
            'port = "22"\nhost = "sev',
            '5: ssh.port: found the text "22", allowed a port from 1 to 65535',
        ),
        ('host = "sev', 'port = 0\nhost = "sev', "5: ssh.port: found 0, allowed a port from 1 to 65535"),
        (
            'host = "sev',
            'port = true\nhost = "sev',
            "5: ssh.port: found true, allowed a port from 1 to 65535",
        ),
        (
            'host = "sev',
            'port = [1]\nhost = "sev',
            "5: ssh.port: found a list, allowed a port from 1 to 65535",
        ),
        (
            'host = "sev',
            'become = "su"\nhost = "sev',
            '5: ssh.become: found the text "su", allowed "none" or "sudo"',
        ),
        (
            '"files/id_ed25519"',
            '"files"',
            "6: ssh.key: found a file that cannot be read (Is a directory), allowed",
        ),
        (
            '"files/id_ed25519"',
            '"x"',
            "6: ssh.key: found no file at this path, allowed a readable file on the runner",
        ),
        (
            '"files/id_ed25519"',
            r'"\u0000"',
            "6: ssh.key: found what cannot be a path, allowed a readable file",
        ),
        ("[kbs.database]", "[kbs]\nport = -1\n[kbs.database]", "10: kbs.port: found -1, allowed a port"),
        (
            "[kbs.database]",
            '[kbs]\nreach = "direct"\n[kbs.database]',
            '9: kbs: found reach = "direct" without host',
        ),
        (
            "[kbs.database]",
            "[cluster]\nkubeconfig = 3\n[kbs.database]",
            "10: cluster.kubeconfig: found 3, allowed an abs",
        ),
        (
            "[pins]",
            '[platform]\nroot = "adm"\n[pins]',
            '21: platform.root: found no file at this path, allowed "amd", or',
        ),
        (
            "[pins]",
            "[platform]\nroot = 1\n[pins]",
            '21: platform.root: found 1, allowed "amd", or a readable file',
        ),
        (
            "[pins]",
            "[pin]\na=1\n[pins]",
            "20: pin: found an unknown key (did you mean pins?), allowed name, profile,",
        ),
        (
            'url = "https',
            'path = "files/offline.img"\nurl = "https',
            "12: files.initrd_online: found both url and path",
        ),
        (
            '{ env = "KBS_PASSWORD" }',
            "{}",
            "10: kbs.database.password: found neither env nor file, allowed exactly one",
        ),
    ],
)
def test_one_mistake_has_one_line(folder: Path, old: str, new: str, complaint: str) -> None:
    lines = complaints(folder, GOOD.replace(old, new, 1))
    assert len(lines) == 1, lines
    assert lines[0].startswith(f"lab.toml:{complaint}")


def test_a_mistyped_key_is_told_once_and_not_also_as_missing(folder: Path) -> None:
    lines = complaints(folder, GOOD.replace("host =", "hots ="))
    assert lines == [
        (
            "lab.toml:5: ssh.hots: found an unknown key (did you mean host?), allowed "
            "host, port, user, key, key_passphrase, password, known_hosts, jump, become"
        )
    ]


def test_a_key_below_the_wrong_header_is_told_where_it_belongs(folder: Path) -> None:
    lines = complaints(folder, GOOD.replace("[ssh]", "[ssh]\nkubeconfig = 1", 1))
    assert "(it belongs to [cluster])" in lines[0]


def test_an_unknown_profile_gets_the_nearest_one(folder: Path) -> None:
    assert complaints(folder, GOOD.replace("anolis-8.6-coco-0.3.0", "anolis-8.6-coco-0.30")) == [
        (
            f'lab.toml:2: profile: found "anolis-8.6-coco-0.30", which is no profile in {PROFILES} '
            "(did you mean anolis-8.6-coco-0.3.0?), allowed anolis-8.6-coco-0.3.0 or anolis-8.6-coco-0.7.0"
        )
    ]


def test_a_profile_cannot_be_a_path(folder: Path) -> None:
    assert complaints(folder, GOOD.replace("anolis-8.6-coco-0.3.0", "../pyproject"))[0].startswith(
        "lab.toml:2: profile:"
    )


def test_mistakes_of_the_profile_are_told_with_those_of_the_lab_file(folder: Path) -> None:
    profile = (PROFILES / "anolis-8.6-coco-0.3.0.toml").read_text().replace("sev_initrd =", "sev_initd =")
    (folder / "anolis-8.6-coco-0.3.0.toml").write_text(profile)
    (folder / "lab.toml").write_text(GOOD.replace("[ssh]", "[ssh]\nport = 0"))
    with pytest.raises(LabFileErrors) as error:
        load_lab(folder / "lab.toml", folder, ENVIRONMENT)
    line = profile.splitlines().index(next(line for line in profile.splitlines() if "sev_initd" in line)) + 1
    lines = str(error.value).replace(f"{folder}/", "").splitlines()
    assert [each.split(": found")[0] for each in lines] == [
        f"anolis-8.6-coco-0.3.0.toml:{line}: kata.sev_initd",
        "lab.toml:5: ssh.port",
    ]


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ('name = "a"\nprofile = b\n', "lab.toml:2: TOML: found at column 11: invalid value"),
        ('name = "a"\nname = "b"\n', "lab.toml:2: TOML: found at column 11: cannot overwrite a value"),
        ('name = "a"\n[ssh\n', "lab.toml:2: TOML: found at column 5: expected ']'"),
        ('a = 1\r\nb = "x\r\n', "lab.toml:2: TOML: found at column 7: illegal character"),
        ('a = """x\n\n', "lab.toml:3: TOML: found at the end: unterminated string"),
        ("a = " + "[" * 5000, "lab.toml:1: TOML: found tables nested too deep"),
    ],
)
def test_what_is_not_toml_has_its_line(folder: Path, text: str, place: str) -> None:
    lines = complaints(folder, text)
    assert len(lines) == 1
    assert lines[0].startswith(place)


def test_bytes_that_are_not_utf_8_have_their_line(folder: Path) -> None:
    (folder / "lab.toml").write_bytes(b'name = "a"\n# \xb0C\n')
    with pytest.raises(
        LabFileErrors, match=r"lab\.toml:2: TOML: found bytes that are not UTF-8, allowed UTF-8$"
    ):
        load_lab(folder / "lab.toml", PROFILES, ENVIRONMENT)


def test_a_lab_file_that_is_not_there_gets_the_nearest_one(folder: Path) -> None:
    (folder / "hardware.toml").write_text(GOOD)
    with pytest.raises(
        LabFileErrors, match=r"hardwear\.toml:1: .*No such file.*did you mean .*/hardware\.toml\?"
    ):
        load_lab(folder / "hardwear.toml", PROFILES, ENVIRONMENT)


def test_a_folder_is_no_lab_file(folder: Path) -> None:
    with pytest.raises(LabFileErrors, match="Is a directory"):
        load_lab(folder, PROFILES, ENVIRONMENT)


@pytest.mark.parametrize("given", [{}, {"KBS_PASSWORD": ""}])
def test_a_variable_that_is_not_set_is_named(folder: Path, given: dict[str, str]) -> None:
    assert complaints(folder, GOOD, given) == [
        (
            "lab.toml:10: kbs.database.password.env: found KBS_PASSWORD, which is not set or empty, "
            "allowed the name of an environment variable that is set, in capitals"
        )
    ]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('{ env = "KBS_PASSWORD" }', '"hunter2"'),
        ('{ env = "KBS_PASSWORD" }', '["hunter2"]'),
        ('{ env = "KBS_PASSWORD" }', '{ value = "hunter2" }'),
        ('{ env = "KBS_PASSWORD" }', '{ env = "hunter2" }'),
        ('{ env = "KBS_PASSWORD" }', '{ file = "hunter2" }'),
        ('{ env = "KBS_PASSWORD" }', '{ file = "files/secret", env = "hunter2" }'),
        ('{ env = "KBS_PASSWORD" }', "hunter2"),
        ('{ env = "KBS_PASSWORD" }', '"hunter2'),
        ("[kbs.database]\npassword =", '[kbs]\ndatabase = "hunter2"\n[x]\ny ='),
        ("password =", 'pasword = "hunter2"\npassword ='),
        ('"sev.example"', '"root:hunter2@sev.example"'),
        ('"https://mirror.example/', '"ftp://user:hunter2@mirror.example/'),
        ('"files/id_ed25519"', '"""-----BEGIN OPENSSH PRIVATE KEY-----\nhunter2\n-----END"""'),
        ('"files/id_ed25519"', '"hunter2"'),
        ("[kbs.database]", '[ssh.password]\nenv = ["hunter2"]\n[kbs.database]'),
    ],
)
def test_a_secret_in_the_wrong_place_is_not_echoed(folder: Path, old: str, new: str) -> None:
    assert old in GOOD
    lines = complaints(folder, GOOD.replace(old, new, 1))
    assert lines
    assert "hunter2" not in "\n".join(lines)


def test_a_pasted_secret_s_message_tells_where_it_should_come_from(folder: Path) -> None:
    assert complaints(folder, GOOD.replace('{ env = "KBS_PASSWORD" }', '"hunter2"')) == [
        (
            "lab.toml:10: kbs.database.password: found a text, allowed the secret's source, "
            'as { env = "NAME" } or { file = "PATH" }, and never the secret itself'
        )
    ]


def test_a_secret_is_resolved_from_its_source(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KBS_PASSWORD", "kbspassword")
    assert resolve(SecretSource(env="KBS_PASSWORD")).reveal() == "kbspassword"
    assert resolve(SecretSource(file=folder / "files/secret")).reveal() == "first line"


@pytest.mark.parametrize("content", [b"", b"\nhunter2\n", b"\xff"])
def test_an_empty_or_unreadable_secret_is_refused_without_a_word_of_it(folder: Path, content: bytes) -> None:
    file = folder / "files/secret"
    file.write_bytes(content)
    with pytest.raises(LabError, match=r"^secret: file .*files/secret") as error:
        resolve(SecretSource(file=file))
    assert "hunter2" not in str(error.value)


@pytest.mark.parametrize("profile", sorted(PROFILES.glob("*.toml")), ids=lambda path: path.stem)
def test_each_profile_is_good_and_bears_its_file_s_name(profile: Path) -> None:
    assert load_profile(profile).name == profile.stem


@pytest.mark.parametrize("data", [{"env": "A"}, {"file": "a"}])
def test_a_schema_used_without_a_file_checks_no_surroundings(data: dict[str, Any]) -> None:
    assert SecretSource(**data)
