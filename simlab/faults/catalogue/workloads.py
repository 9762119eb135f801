"""Faults that show in pods: platform, key broker, guest and node lie, or lack what they need (K, W, A)."""

from __future__ import annotations

from simlab.faults.acts import in_database, on_host
from simlab.faults.fault import Fault, Kind

FAULTS = (
    Fault(
        name="no-certificate-chain",
        kind=Kind.MISSING_PRECONDITION,
        breaks="nobody exported the platform's certificate chain",
        clauses=("W-2.2",),
        cause="/opt/sev/cert_chain.cert on the host: no such file",
        acts=(on_host("rm /opt/sev/cert_chain.cert"),),
    ),
    Fault(
        name="no-key",
        kind=Kind.MISSING_PRECONDITION,
        breaks="the database does not hold the guide's key",
        clauses=("K-1.4",),
        cause="key_id1",
        acts=(in_database("DELETE FROM secrets WHERE secret_id = 'key_id1'"),),
    ),
    Fault(
        name="kbs-ignores-policies",
        kind=Kind.LYING_COMPONENT,
        breaks="the KBS reads no policy, and says in its log that all hold",
        clauses=("A-2.5", "A-2.7", "A-2.8"),
        also=("X-2.1", "X-3.1"),
        cause="gave the key to a launch that its policy does not list|should have been refused|is Running",
        stand_ins={"kbs": "simlab.faults.stand_ins.key_broker:careless"},
    ),
    Fault(
        name="kbs-releases-another-key",
        kind=Kind.LYING_COMPONENT,
        breaks="the KBS answers every request for a key with another one",
        clauses=("W-3.3", "W-4.3", "K-1.5"),
        cause="failed to async_get_plaintext_layer",
        stand_ins={"kbs": "simlab.faults.stand_ins.key_broker:wrong_keys"},
    ),
    Fault(
        name="kata-runs-runc",
        kind=Kind.LYING_COMPONENT,
        breaks="pods of kata's RuntimeClasses run in runc, on the host",
        clauses=("W-1.2",),
        cause="no QEMU process",
        stand_ins={"node": "simlab.faults.stand_ins.node:runs_runc"},
    ),
    Fault(
        name="containerd-pulls-on-host",
        kind=Kind.LYING_COMPONENT,
        breaks="containerd pulls on the host what the guest pulls",
        clauses=("W-1.3",),
        cause="nginx",
        stand_ins={"node": "simlab.faults.stand_ins.node:pulls_on_host"},
    ),
    Fault(
        name="psp-fixed-digest",
        kind=Kind.LYING_COMPONENT,
        breaks="the platform measures every guest to the same digest",
        clauses=("K-1.5", "W-3.3", "W-4.3"),
        cause="Measurement Verification Failed: Measurement Invalid",
        stand_ins={"psp": "simlab.faults.stand_ins.psp:fixed_digest"},
    ),
)
