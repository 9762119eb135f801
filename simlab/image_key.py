"""The key of the release's encrypted image, put into simple-kbs' database as its tenant does.

simple-kbs 0.1.1 comes with the key of the guide's image. For another, the release's guide has the tenant add
it by hand (confidential-containers v0.7.0, `guides/sev.md`: `REPLACE INTO secrets VALUES (10, …)`).
"""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Final

import pymysql

from simlab import addresses, compose
from simlab.release import versions

if TYPE_CHECKING:
    from simlab.layout import Layout

_ROW: Final = 10


def add(layout: Layout) -> None:
    """Add the key, and a keyset that lists it, where they are not in the stock data already."""
    image = versions.of(layout).image
    if image == versions.DEFAULT.image:
        return
    connection = pymysql.connect(
        host=addresses.DATABASE_IP,
        port=addresses.DATABASE_PORT,
        user=compose.DATABASE_USER,
        password=compose.DATABASE_PASSWORD,
        database=compose.DATABASE_NAME,
        autocommit=True,
    )
    with connection, connection.cursor() as cursor:
        key = base64.b64encode(image.key).decode()
        cursor.execute("REPLACE INTO secrets VALUES (%s, %s, %s, NULL)", (_ROW, image.key_id, key))
        cursor.execute(
            "REPLACE INTO keysets VALUES (%s, 'KEYSET-1', %s, NULL)", (_ROW, json.dumps([image.key_id]))
        )
