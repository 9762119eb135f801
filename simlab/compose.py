"""The compose project of simple-kbs 0.1.1: its clone on the host, and what its containers are started with.

Source: simple-kbs 0.1.1, docker-compose.yml, Dockerfile.simple-kbs and default_policy.json.
"""

from __future__ import annotations

import json
import os
import subprocess
from typing import TYPE_CHECKING, Final

from simlab import addresses
from simlab.internet import git_objects

if TYPE_CHECKING:
    from simlab.internet.git_objects import Snapshot
    from simlab.layout import Layout

PROJECT: Final = "simple-kbs"
NETWORK: Final = f"{PROJECT}_default"
FOLDER: Final = f"/root/{PROJECT}"
TAG: Final = "0.1.1"
REPOSITORY: Final = "confidential-containers/simple-kbs"

DATABASE_NAME: Final = "simple_kbs"
DATABASE_USER: Final = "kbsuser"
DATABASE_PASSWORD: Final = "kbspassword"  # noqa: S105 -- public, in the compose file

_TENANT_POLICY: Final = {
    "allowed_digests": [],
    "allowed_policies": [],
    "min_fw_api_major": 0,
    "min_fw_api_minor": 0,
    "allowed_build_ids": [],
}

_COMPOSE_FILE: Final = f"""\
services:
  server:
    image: simple-kbs-server
    restart: always
    depends_on: [db]
    ports: ["{addresses.KBS_PORT}:{addresses.KBS_PORT}"]
    environment:
      KBS_DB_TYPE: mysql
      KBS_DB_HOST: db
      KBS_DB_USER: {DATABASE_USER}
      KBS_DB_PW: {DATABASE_PASSWORD}
      KBS_DB: {DATABASE_NAME}
      RUST_LOG: debug
  db:
    image: simple-kbs-db
    restart: always
"""


def server_environment() -> dict[str, str]:
    """Return the server's environment; `db` is resolved, since only containers know that name."""
    return {
        "KBS_DB_TYPE": "mysql",
        "KBS_DB_HOST": addresses.DATABASE_IP,
        "KBS_DB_USER": DATABASE_USER,
        "KBS_DB_PW": DATABASE_PASSWORD,
        "KBS_DB": DATABASE_NAME,
        "RUST_LOG": "debug",
    }


def clone(layout: Layout) -> None:
    """Do as the guide's `git clone` and `git checkout` on the host."""
    folder = layout.host / FOLDER.lstrip("/")
    commit = snapshot()

    def git(*words: str, given: bytes = b"") -> None:
        command = ["git", "-C", str(folder), *words]
        environment = os.environ | {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
        subprocess.run(command, input=given, env=environment, check=True, capture_output=True)

    folder.mkdir(parents=True)
    git("init", "--quiet", "--initial-branch=main")
    git("unpack-objects", "-q", given=commit.pack)
    git("remote", "add", "origin", f"https://github.com/{REPOSITORY}.git")
    for ref in ("refs/heads/main", "refs/remotes/origin/main", f"refs/tags/{TAG}"):
        git("update-ref", ref, commit.commit)
    git("checkout", "--quiet", "-b", f"branch_{TAG}", TAG)


def create_container_folder(layout: Layout) -> None:
    """Write the working directory that the server's image brings."""
    layout.kbs.mkdir(parents=True, exist_ok=True)
    (layout.kbs / "default_policy.json").write_text(_policy())


def snapshot() -> Snapshot:
    """Return the release's commit, with the files that docker compose looks at."""
    files = {"docker-compose.yml": _COMPOSE_FILE.encode(), "default_policy.json": _policy().encode()}
    return git_objects.snapshot(files, f"Release {TAG}")


def _policy() -> str:
    return json.dumps(_TENANT_POLICY, indent=2) + "\n"
