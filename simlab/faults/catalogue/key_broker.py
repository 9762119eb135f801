"""Faults of simple-kbs and its database (K)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from simlab.faults.acts import Act, in_database, on_host
from simlab.faults.fault import Fault, Kind

if TYPE_CHECKING:
    from simlab.layout import Layout

# What asks the KBS: that it runs and answers, and the first pods that it answers.
KBS: Final = ("3", "4_3", "4_4")
_STAND_INS: Final = "simlab.faults.stand_ins.key_broker"
# 32 bytes of base64, and not the published key.
_GIVE_OTHER_KEY: Final = (
    "UPDATE secrets SET secret = 'AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=' WHERE secret_id = 'key_id1'"
)


def _hold_to_one_digest(layout: Layout) -> None:
    """Narrow the tenant's policy, which the server's container has a file of."""
    path = layout.kbs / "default_policy.json"
    digest = "bm9uZSBvZiB0aGUgZGlnZXN0cyB0aGF0IHRoZXJlIGFyZQ=="
    path.write_text(json.dumps(json.loads(path.read_text()) | {"allowed_digests": [digest]}))


FAULTS = (
    Fault(
        name="no-compose-plugin",
        kind=Kind.MISSING_PRECONDITION,
        breaks="docker has no plugin compose",
        clauses=("K-1.1",),
        cause="docker has no plugin compose",
        features=KBS,
        acts=(on_host("dnf -y remove docker-compose-plugin"),),
    ),
    Fault(
        name="simple-kbs-at-other-commit",
        kind=Kind.WRONG_STATE,
        breaks="simple-kbs is checked out at another commit than the tag's",
        clauses=("K-1.2",),
        cause="is at .*, not at 0.1.1",
        features=KBS,
        acts=(
            on_host(
                "git -C /root/simple-kbs -c user.name=x -c user.email=x@example.org"
                " commit --quiet --allow-empty --message later"
            ),
        ),
    ),
    Fault(
        name="kbs-stopped",
        kind=Kind.LOST_SERVICE,
        breaks="the container of simple-kbs' server was stopped",
        clauses=("K-1.3",),
        cause="one running container should be simple-kbs' server, found none",
        features=KBS,
        acts=(on_host("docker stop simple-kbs-server-1"),),
    ),
    Fault(
        name="database-stopped",
        kind=Kind.LOST_SERVICE,
        breaks="the container of simple-kbs' database was stopped",
        clauses=("K-1.3",),
        cause="one running container should be simple-kbs' database, found none",
        features=KBS,
        acts=(on_host("docker stop simple-kbs-db-1"),),
    ),
    Fault(
        name="kbs-speaks-another-protocol",
        kind=Kind.HOSTILE_ANSWER,
        breaks="what answers on the KBS's port is no gRPC service",
        clauses=("K-1.3",),
        cause="UNAVAILABLE|simple-kbs",
        features=KBS,
        stand_ins={"kbs": f"{_STAND_INS}_hostile:web_server"},
    ),
    Fault(
        name="kbs-never-answers",
        kind=Kind.HOSTILE_ANSWER,
        breaks="the KBS takes connections and requests, and never answers",
        clauses=("K-1.3",),
        cause="DEADLINE_EXCEEDED",
        features=("3",),
        stand_ins={"kbs": f"{_STAND_INS}_hostile:silent"},
    ),
    Fault(
        name="kbs-answers-with-nothing",
        kind=Kind.HOSTILE_ANSWER,
        breaks="the KBS answers each request for a bundle with an empty one",
        clauses=("W-3.3", "W-4.3"),
        cause="Error receiving launch ID from attestation proxy",
        also=("K-1.5",),
        features=("3", "4_3", "4_4"),
        stand_ins={"kbs": f"{_STAND_INS}_hostile:empty_bundles"},
    ),
    Fault(
        name="kbs-garbles-launch-secrets",
        kind=Kind.HOSTILE_ANSWER,
        breaks="one bit of each launch secret is another on its way to the platform",
        clauses=("W-3.3", "W-4.3"),
        cause="failed to inject secret .*Bad measurement",
        also=("K-1.5",),
        features=("3", "4_3", "4_4"),
        stand_ins={"kbs": f"{_STAND_INS}_hostile:garbled_secrets"},
    ),
    Fault(
        name="other-key-in-database",
        kind=Kind.WRONG_STATE,
        breaks="the database has another key under the id of the guide's",
        clauses=("K-1.4",),
        cause="another value than the published key",
        features=KBS,
        acts=(in_database(_GIVE_OTHER_KEY),),
    ),
    Fault(
        name="key-is-no-base64",
        kind=Kind.HOSTILE_ANSWER,
        breaks="what the database has for a key is no base64, at which the KBS panics",
        clauses=("K-1.4",),
        cause="no base64",
        features=KBS,
        acts=(in_database("UPDATE secrets SET secret = 'key (see wiki)' WHERE secret_id = 'key_id1'"),),
    ),
    Fault(
        name="no-keyset",
        kind=Kind.MISSING_PRECONDITION,
        breaks="the database does not hold the guide's keyset",
        clauses=("K-1.4",),
        cause="no keyset KEYSET-1",
        features=KBS,
        acts=(in_database("DELETE FROM keysets WHERE keysetid = 'KEYSET-1'"),),
    ),
    Fault(
        name="keyset-without-key",
        kind=Kind.WRONG_STATE,
        breaks="the guide's keyset lists another key",
        clauses=("K-1.4",),
        cause="KEYSET-1 lists key_id2, and not key_id1",
        features=KBS,
        acts=(in_database("UPDATE keysets SET kskeys = '[\"key_id2\"]' WHERE keysetid = 'KEYSET-1'"),),
    ),
    Fault(
        name="keyset-is-no-json",
        kind=Kind.HOSTILE_ANSWER,
        breaks="the list of the guide's keyset is no JSON",
        clauses=("K-1.4",),
        cause="KEYSET-1",
        features=KBS,
        acts=(in_database("UPDATE keysets SET kskeys = '[key_id1' WHERE keysetid = 'KEYSET-1'"),),
    ),
    Fault(
        name="tenant-policy-lists-one-digest",
        kind=Kind.WRONG_STATE,
        breaks="the tenant's policy in the KBS's container allows a digest that no launch has",
        clauses=("K-1.5",),
        cause="Policy validation failed: fw digest not valid",
        features=KBS,
        acts=(Act(_hold_to_one_digest),),
        also=("W-3.3", "W-4.3"),
    ),
    Fault(
        name="kbs-tells-others",
        kind=Kind.LYING_COMPONENT,
        breaks="the KBS also tells somebody else every key that it gives away",
        clauses=("W-5.1",),
        cause="somebody else",
        features=("3", "4_5"),
        stand_ins={"kbs": f"{_STAND_INS}:tells_others"},
        uncaught=(
            "what leaves the KBS for elsewhere shows in none of its answers, nor in its log, its database"
            " or on the host; the KBS is the tenant's, who has to trust it"
        ),
    ),
    Fault(
        name="kbs-gone-between-bundle-and-secret",
        kind=Kind.LOST_SERVICE,
        breaks="the KBS is gone for good once it has answered its second request for a bundle",
        clauses=("W-3.3",),
        cause="Unable to acquire launch secret from KBS: rpc error: code = Unavailable|connection refused",
        features=("3", "4_3"),
        stand_ins={"kbs": f"{_STAND_INS}_lost:gone_after_bundle"},
    ),
    Fault(
        name="kbs-gone-at-run-time",
        kind=Kind.LOST_SERVICE,
        breaks="the KBS is gone for good when the second guest asks it for its key",
        clauses=("W-3.3",),
        cause="failed to get decrypt key",
        features=("3", "4_3"),
        stand_ins={"kbs": f"{_STAND_INS}_lost:gone_at_key"},
    ),
    Fault(
        name="database-gone-in-a-launch",
        kind=Kind.LOST_SERVICE,
        breaks="the database is stopped once the KBS has answered its second request for a bundle",
        clauses=("W-3.3",),
        cause="Cannot fulfill secret request: error communicating with database",
        features=("3", "4_3"),
        stand_ins={"kbs": f"{_STAND_INS}_lost:database_after_bundle"},
    ),
    Fault(
        name="host-gone-in-a-launch",
        kind=Kind.LOST_SERVICE,
        breaks="the host loses its power once the KBS has answered its second request for a bundle",
        clauses=("W-3.3",),
        cause="host",
        broken=True,
        features=("3", "4_3"),
        stand_ins={"kbs": f"{_STAND_INS}_lost:host_after_bundle"},
    ),
    Fault(
        name="api-gone-in-a-launch",
        kind=Kind.LOST_SERVICE,
        breaks="the Kubernetes API dies when the third pod is made",
        clauses=("W-3.3",),
        cause="cluster",
        broken=True,
        features=("3", "4_1", "4_3"),
        stand_ins={"apiserver": "simlab.faults.stand_ins.apiserver:gone_at_third_pod"},
    ),
)
