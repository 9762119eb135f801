"""Faults of the appendix: one's own image, the launch digest, what a policy holds a launch to (A, X)."""

from __future__ import annotations

from typing import Final

from simlab.faults.acts import in_database, on_host
from simlab.faults.fault import Fault, Kind

# The policies, and the first pods without one.
POLICIES: Final = ("3", "5_launch")
_KBS: Final = "simlab.faults.stand_ins.key_broker"
_KATA: Final = "simlab.faults.stand_ins.kata"
_GUEST: Final = "simlab.faults.stand_ins.guest"
_SHARE: Final = "/opt/confidential-containers/share"
_NOT_COMPARED: Final = "gave the key to a launch that its policy does not list|should have been refused"
# The database as docker tells of it, at another address.
_DOCKER: Final = """
mv /usr/local/bin/docker /usr/local/bin/docker-itself
cat >/usr/local/bin/docker <<'END'
#!/bin/sh
case "$1 $2" in
  "network inspect") docker-itself "$@" | sed 's/172\\.18\\.0\\.2\\b/172.18.0.99/' ;;
  *) exec docker-itself "$@" ;;
esac
END
chmod +x /usr/local/bin/docker
"""

FAULTS = (
    Fault(
        name="kbs-keeps-old-keys",
        kind=Kind.LYING_COMPONENT,
        breaks="the KBS gives a key as it was when it was first asked for, whatever the database has since",
        clauses=("A-1.1",),
        cause="is Running, and should have been refused",
        features=("5_a",),
        stand_ins={"kbs": f"{_KBS}:keys_kept"},
    ),
    Fault(
        name="other-firmware",
        kind=Kind.WRONG_STATE,
        breaks="the firmware on the host is not the release's: one byte differs",
        clauses=("A-2.1",),
        cause="the firmware .*OVMF.fd is not the release's",
        features=POLICIES,
        acts=(on_host(f"printf x | dd of={_SHARE}/ovmf/OVMF.fd bs=1 seek=4096 conv=notrunc status=none"),),
    ),
    Fault(
        name="other-guest-kernel",
        kind=Kind.WRONG_STATE,
        breaks="the guest's kernel on the host is not the release's: it has one byte more",
        clauses=("A-2.1",),
        cause="the kernel .*vmlinuz-sev.container is not the release's",
        features=POLICIES,
        acts=(on_host(f"printf x >>{_SHARE}/kata-containers/vmlinuz-sev.container"),),
    ),
    Fault(
        name="kata-adds-a-parameter",
        kind=Kind.LYING_COMPONENT,
        breaks="kata gives guests a kernel parameter that no configuration has",
        clauses=("A-2.2",),
        cause="kernel parameters do not end in",
        features=POLICIES,
        stand_ins={"node": f"{_KATA}:more_parameters"},
    ),
    Fault(
        name="qemu-hides-a-parameter",
        kind=Kind.LYING_COMPONENT,
        breaks="QEMU starts guests with a kernel parameter that its arguments do not show",
        clauses=("A-2.3", "A-2.6", "K-1.5"),
        cause="no launch recorded with|recorded no launch with|fw digest not valid",
        also=("W-3.3", "A-2.5", "A-2.7", "A-2.8"),
        features=POLICIES,
        stand_ins={"node": f"{_KATA}:hides_parameter"},
        guest=f"{_GUEST}:hides_parameter",
    ),
    Fault(
        name="kata-and-psp-fixed-digest",
        kind=Kind.LYING_COMPONENT,
        breaks="the platform measures every guest to one digest, and kata tells the KBS that one",
        clauses=("A-2.3", "A-2.6", "K-1.5"),
        cause="no launch recorded with|recorded no launch with|fw digest not valid",
        also=("W-3.3", "A-2.5", "A-2.7", "A-2.8"),
        features=POLICIES,
        stand_ins={"node": f"{_KATA}:fixed_digest", "psp": "simlab.faults.stand_ins.psp:fixed_digest"},
    ),
    Fault(
        name="docker-names-another-address",
        kind=Kind.LYING_COMPONENT,
        breaks="docker tells an address of the database's container at which nobody is",
        clauses=("A-2.4",),
        cause="172.18.0.99",
        also=("K-1.3",),
        features=("3", "4_3", "5_database"),
        acts=(on_host(_DOCKER),),
    ),
    Fault(
        name="database-voids-policies",
        kind=Kind.LYING_COMPONENT,
        breaks="the database marks every policy invalid as it is written",
        clauses=("A-2.5",),
        cause="is not in force",
        also=("A-2.7", "A-2.8"),
        features=POLICIES,
        acts=(in_database("CREATE TRIGGER void BEFORE INSERT ON policy FOR EACH ROW SET NEW.valid = 0"),),
    ),
    Fault(
        name="kbs-refuses-listed-digests",
        kind=Kind.LYING_COMPONENT,
        breaks="the KBS refuses a digest that its policy lists",
        clauses=("A-2.6",),
        cause="fw digest not valid|failed to get decrypt key",
        also=("A-2.5", "A-2.7", "A-2.8"),
        features=POLICIES,
        stand_ins={"kbs": f"{_KBS}:allows_no_digest"},
    ),
    Fault(
        name="kbs-compares-no-digest",
        kind=Kind.LYING_COMPONENT,
        breaks="the KBS holds launches to their policy, but for its digests",
        clauses=("A-2.5", "A-2.7"),
        cause=_NOT_COMPARED,
        features=POLICIES,
        stand_ins={"kbs": f"{_KBS}:blind_to_digest"},
    ),
    Fault(
        name="kbs-compares-no-sev-policy",
        kind=Kind.LYING_COMPONENT,
        breaks="the KBS holds launches to their policy, but for the SEV policy's flags",
        clauses=("A-2.8",),
        cause=_NOT_COMPARED,
        features=POLICIES,
        stand_ins={"kbs": f"{_KBS}:blind_to_flags"},
    ),
    Fault(
        name="kbs-compares-no-api-minor",
        kind=Kind.LYING_COMPONENT,
        breaks="the KBS holds launches to their policy, but for the firmware's API minor",
        clauses=("A-2.8",),
        cause=_NOT_COMPARED,
        features=POLICIES,
        stand_ins={"kbs": f"{_KBS}:blind_to_minor"},
    ),
    Fault(
        name="kbs-compares-no-build",
        kind=Kind.LYING_COMPONENT,
        breaks="the KBS holds launches to their policy, but for the firmware's build",
        clauses=("A-2.8",),
        cause=_NOT_COMPARED,
        features=POLICIES,
        stand_ins={"kbs": f"{_KBS}:blind_to_build"},
    ),
    Fault(
        name="kata-ignores-sev-policy",
        kind=Kind.LYING_COMPONENT,
        breaks="kata launches every guest with the SEV policy 0, whatever its configuration says",
        clauses=("X-2.3", "X-3.1"),
        cause="policy",
        also=("A-2.8",),
        features=("6_beyond",),
        stand_ins={"node": f"{_KATA}:other_sev_policy"},
    ),
    Fault(
        name="kbs-trusts-every-chain",
        kind=Kind.LYING_COMPONENT,
        breaks="the KBS opens launches for certificate chains of which it verifies no signature",
        clauses=("X-2.2",),
        cause="opens a launch for a chain whose signatures do not verify",
        features=("6_software",),
        stand_ins={"kbs": f"{_KBS}:trusts_every_chain"},
    ),
    Fault(
        name="containerd-disabled",
        kind=Kind.WRONG_STATE,
        breaks="containerd runs, and is not enabled: a reboot leaves the node without it",
        clauses=("X-1.1",),
        cause="C-4.3",
        provision="apply",
        features=("7",),
        acts=(on_host("systemctl disable containerd"),),
    ),
)
