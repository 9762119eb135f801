"""The compose project of simple-kbs 0.1.1: its clone on the host, and what its containers are started with.

Source: simple-kbs 0.1.1, docker-compose.yml, Dockerfile.simple-kbs and default_policy.json.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from simlab import addresses

if TYPE_CHECKING:
    from simlab.layout import Layout

PROJECT: Final = "simple-kbs"
NETWORK: Final = f"{PROJECT}_default"
FOLDER: Final = f"/root/{PROJECT}"
TAG: Final = "0.1.1"

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

# The guide: git checkout -b "branch_${simple_kbs_tag}" "${simple_kbs_tag}".
_GIT_HEAD: Final = f"ref: refs/heads/branch_{TAG}\n"

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
    """Write what `git clone` and `git checkout` leave on the host."""
    folder = layout.host / FOLDER.lstrip("/")
    (folder / ".git").mkdir(parents=True)
    (folder / ".git/HEAD").write_text(_GIT_HEAD)
    (folder / "docker-compose.yml").write_text(_COMPOSE_FILE)
    (folder / "default_policy.json").write_text(_policy())


def create_container_folder(layout: Layout) -> None:
    """Write the working directory that the server's image brings."""
    layout.kbs.mkdir(parents=True, exist_ok=True)
    (layout.kbs / "default_policy.json").write_text(_policy())


def repository() -> dict[str, bytes]:
    """Return the files of simple-kbs' repository, as far as docker compose looks at them."""
    return {"docker-compose.yml": _COMPOSE_FILE.encode(), "default_policy.json": _policy().encode()}


def _policy() -> str:
    return json.dumps(_TENANT_POLICY, indent=2) + "\n"
