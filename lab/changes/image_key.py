"""The key of the encrypted image in the KBS's database, where simple-kbs' own data lack it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.changes.described import Described
from lab.errors import LabError, MalformedRow
from lab.provisioning import Sight
from lab.secret import Secret

if TYPE_CHECKING:
    from lab.broker import Broker
    from lab.profile import StockKbs


class ImageKeyAdded(Described):
    """The database has the image's key, and the keyset lists it.

    As a release's own guide has the tenant do it (confidential-containers v0.7.0, guides/sev.md: REPLACE INTO
    secrets, keysets). A key that is there is left as it is; a keyset only gets the key that it lacks.
    """

    permission = "kbs_policies"
    clause = "K-1.4"

    def __init__(self, broker: Broker, wanted: StockKbs, key: str) -> None:
        """`key` is the key itself, base64, which its makers published."""
        self.name = f"add the key {wanted.key_id} to the KBS's database"
        self.looks_at = f"the secret {wanted.key_id} and the keyset {wanted.keyset_id}"
        self.undone_by = "DELETE FROM secrets of that row, and the keyset's kskeys as they were"
        self._broker = broker
        self._wanted = wanted
        self._key = Secret(key)

    def look(self) -> Sight:
        """Whether they are there; what they are worth is clause K-1.4's business."""
        database, key_id, keyset_id = self._broker.database, self._wanted.key_id, self._wanted.keyset_id
        try:
            key = database.secret_exists(key_id)
            keyset = database.keyset(keyset_id)
        except MalformedRow as error:
            return Sight(key, str(error))
        except LabError as error:
            return Sight(holds=False, found=str(error))
        listed = keyset is not None and key_id in keyset.keys
        missing = [] if key else [f"no secret {key_id}"]
        missing += [] if listed else [f"no keyset {keyset_id} that lists it"]
        return Sight(not missing, ", ".join(missing) or "both are there")

    def apply(self) -> None:
        """Add what is missing."""
        database, key_id, keyset_id = self._broker.database, self._wanted.key_id, self._wanted.keyset_id
        if not database.secret_exists(key_id):
            database.insert_secrets({key_id: self._key})
        keyset = database.keyset(keyset_id)
        if keyset is None:
            database.insert_keyset(keyset_id, [key_id], None)
        elif key_id not in keyset.keys:
            database.set_keyset_keys(keyset_id, [*keyset.keys, key_id])
