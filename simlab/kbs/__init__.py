"""simple-kbs 0.1.1 as its source has it: its refusals, fail-open cases and panics, on its database.

`python -m simlab.kbs --grpc_sock=ADDRESS:PORT` takes the place of the real binary: its settings are in the
environment (KBS_DB_TYPE, KBS_DB_HOST, KBS_DB_USER, KBS_DB_PW, KBS_DB, KBS_DB_MAX_CONNS, RUST_LOG), its
working directory holds `default_policy.json` and `resources/`. What its libraries contribute to its behaviour
(the texts of base64, uuid, sqlx and the `sev` crate, at the versions in its Cargo.lock) is in a module each.
"""
