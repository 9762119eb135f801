"""The repositories that the guide clones and kubectl fetches, asked by the real git."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from simlab.internet import git_objects

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.simlab.keeper import Keeper

ORGANISATION = "https://github.com/confidential-containers"


@pytest.fixture
def folder(lab: Keeper) -> Iterator[str]:
    path = lab.output("mktemp -d").strip()
    yield path
    lab.output(f"rm -rf {path}")


def test_the_guides_clone_and_checkout(lab: Keeper, folder: str) -> None:
    lab.output(f"cd {folder} && git clone {ORGANISATION}/simple-kbs.git")
    lab.output(
        f"cd {folder}/simple-kbs && git checkout -b branch_0.1.1 0.1.1 && git fsck --strict && git fetch"
    )
    assert lab.output(f"cd {folder}/simple-kbs && git describe --tags") == "0.1.1\n"
    assert "image: simple-kbs-db" in lab.output(f"cat {folder}/simple-kbs/docker-compose.yml")


def test_the_archive_of_the_tag_holds_what_the_repository_does(lab: Keeper, folder: str) -> None:
    archive = f"{ORGANISATION}/operator/archive/refs/tags/v0.3.0.tar.gz"
    lab.output(f"cd {folder} && curl -sSf {archive} | tar -xz")
    lab.output(f"cd {folder} && git clone -q --depth=1 --branch v0.3.0 {ORGANISATION}/operator cloned")
    assert lab.output(f"cd {folder} && diff -r --exclude=.git operator-0.3.0 cloned") == ""


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (f"git ls-remote {ORGANISATION}/nothing", "not found"),
        (f"git clone --branch v9 {ORGANISATION}/operator /tmp/none", "Remote branch v9 not found"),
        (f"curl -sSf '{ORGANISATION}/operator/info/refs'", "403"),
        (f"git ls-remote '{ORGANISATION}/../operator'", "not found"),
    ],
)
def test_what_is_not_there_is_refused(lab: Keeper, command: str, words: str) -> None:
    done = lab.run(f"GIT_TERMINAL_PROMPT=0 {command}")
    assert done.exit_status != 0
    assert words in str(done.stderr)


def test_the_same_files_are_the_same_commit() -> None:
    files = {"a/b": b"1", "a.b": b"2", "c": b""}
    first = git_objects.snapshot(files, "one")
    assert first.commit == git_objects.snapshot(dict(reversed(files.items())), "one").commit
    assert first.commit != git_objects.snapshot(files | {"c": b"3"}, "one").commit
