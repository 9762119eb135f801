"""CoCo v0.7.0 (July 2023): operator v0.7.0, kata CC-0.7.0, guest-components v0.7.0.

Sources, beside those of v0.3.0 at these tags: kata CC-0.7.0 `src/runtime/pkg/sev/kbs/kbs.go` (modes),
`src/runtime/virtcontainers/qemu.go` (kernelParameters, AttestVM); guest-components v0.7.0
`image-rs/src/pull.rs`, `image-rs/src/config.rs`, `ocicrypt-rs/src/encryption.rs`,
`attestation-agent/kbc/src/annotation_packet.rs`, `attestation-agent/deps/resource_uri`, `deps/crypto`,
`attestation-agent/coco_keyprovider` (what images are wrapped by); confidential-containers v0.7.0
`demos/ssh-demo` (the encrypted image and its public key), `guides/sev.md` (still simple-kbs 0.1.1).
"""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Final

from simlab.release import kata_options, paths
from simlab.release.kata_options import Option
from simlab.release.versions.coco_0_3_0 import RELEASE as COCO_0_3_0
from simlab.release.versions.release import EncryptedImage, Guest, Kata, Release

RELEASE: Final = Release(
    name="0.7.0",
    folder=Path(__file__).parent,
    profile="anolis-8.6-coco-0.7.0",
    base=COCO_0_3_0,
    # operator v0.7.0, main.go, labelNamespace
    namespace_labels={
        f"pod-security.kubernetes.io/{mode}": "privileged" for mode in ("enforce", "audit", "warn")
    },
    kata=Kata(
        tag="CC-0.7.0",
        version="3.2.0-alpha3",
        commit="16d6e37196cb5c18ca5e718549f7a747658105a2",
        shims=("remote", "qemu", "qemu-tdx", "qemu-sev", "qemu-se", "qemu-snp", "clh", "clh-tdx"),
        programs=(paths.QEMU_SNP,),
        firmware=f"{paths.PREFIX}/share/ovmf/AMDSEV.fd",
        firmware_version="edk2-stable202302",
        pre_attestation=(
            *kata_options.CONFIDENTIAL,
            Option(
                "guest_pre_attestation_kbs_uri",
                '"localhost:44444"',
                "The key broker that answers for the guest owner, and in online mode for the guest too.",
            ),
            Option(
                "guest_pre_attestation_kbs_mode",
                '"online"',
                "How the guest gets its keys: online, or offline with the launch secret.",
            ),
            kata_options.KEYSET,
            Option("sev_guest_policy", "3", kata_options.POLICY_MEANING),
            kata_options.CERTIFICATE_CHAIN,
        ),
        virtio_fs_extra_args='["--thread-pool-size=1", "--announce-submounts"]',
        static_resources=True,
        agent=(Option("dial_timeout", "90", "How long the agent may take to answer, in seconds."),),
        kbs_uri="guest_pre_attestation_kbs_uri",
        kbs_modes={
            "online": ("connection", "1ee27366-0c87-43a6-af48-28543eaf7cb0"),
            "offline": ("bundle", "e6f5a162-d67f-4750-a67c-5d065f2a9910"),
        },
        online_kbc="online_sev_kbc",
        pod_settings=True,
    ),
    guest=Guest(
        attestation_agent="v0.7.0",
        layer_failed="failed to handle layer: ",
        no_key="missing private key needed for decryption",
        credential="default/credential/test",
        wrap_types=("A256GCM", "A256CTR"),
        kids_are_uris=True,
    ),
    image=EncryptedImage(
        registry="ghcr.io",
        name=("confidential-containers/test-container", "multi-arch-encrypted"),
        kid="kbs:///default/key/ssh-demo",
        key_id="default/key/ssh-demo",
        key=base64.b64decode("HUlOu8NWz8si11OZUzUJMnjiq/iZyHBJZMSD3BaqgMc="),
    ),
)
