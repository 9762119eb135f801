"""CoCo v0.3.0, the guide's release: operator v0.3.0, kata CC-0.3.0, attestation-agent and image-rs v0.3.0.

Sources: kata CC-0.3.0 `src/runtime/Makefile`, `src/runtime/config/configuration-qemu-sev.toml.in`,
`tools/packaging/kata-deploy-cc/scripts/kata-deploy.sh`, `versions.yaml`; image-rs v0.3.0 `src/pull.rs`,
`src/decrypt.rs`; attestation-agent v0.3.0; simple-kbs 0.1.1 `db/initial-data.sql`.
"""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Final

from simlab.release import kata_options, paths
from simlab.release.kata_options import Option
from simlab.release.versions.release import EncryptedImage, Guest, Kata, Release

RELEASE: Final = Release(
    name="0.3.0",
    folder=Path(__file__).parent,
    profile="anolis-8.6-coco-0.3.0",
    demo_initrds=True,
    kata=Kata(
        tag="CC-0.3.0",
        version="3.1.0-alpha1",
        commit="b91337afef54d94e7f6458a0d1548e921dab6ea0",
        shims=("qemu", "qemu-tdx", "qemu-sev", "clh", "clh-tdx"),
        programs=(),
        firmware=f"{paths.PREFIX}/share/ovmf/OVMF.fd",
        firmware_version="edk2-202208-sev-alloc-runtime-secret-area",
        pre_attestation=(
            *kata_options.CONFIDENTIAL,
            Option(
                "guest_pre_attestation_proxy",
                '"localhost:44444"',
                "The key broker that answers for the guest owner.",
            ),
            kata_options.KEYSET,
            Option(
                "guest_pre_attestation_secret_guid",
                '"1ee27366-0c87-43a6-af48-28543eaf7cb0"',
                "Under which GUID the guest finds the secret in its memory.",
            ),
            Option(
                "guest_pre_attestation_secret_type", '"connection"', "What the broker packs into the secret."
            ),
            Option("sev_guest_policy", "0", kata_options.POLICY_MEANING),
            kata_options.CERTIFICATE_CHAIN,
        ),
        virtio_fs_extra_args='["--thread-pool-size=1", "-o", "announce_submounts"]',
        static_resources=False,
        agent=(),
        kbs_uri="guest_pre_attestation_proxy",
    ),
    guest=Guest(
        attestation_agent="v0.3.0",
        layer_failed="failed to async handle layer: ",
        no_key="failed to retrive decrypt key!",
        credential="Credential",
        wrap_types=("aes_256_ctr",),
        kids_are_uris=False,
    ),
    image=EncryptedImage(
        registry="docker.io",
        name=("haosanzi/busybox-v1", "encrypted"),
        kid="key_id1",
        key_id="key_id1",
        key=base64.b64decode("RcHGava52DPvj1uoIk/NVDYlwxi0A6yyIZ8ilhEX3X4="),  # public, for tests
    ),
)
