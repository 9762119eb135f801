import pytest

from lab.errors import LabError
from lab.kata import KataConfiguration
from lab.profile import KbcSettings

TEXT = """# kata's own comment stays
[hypervisor.qemu]
kernel = "/share/vmlinuz"
initrd = "/share/initrd.img"
firmware = "/share/OVMF.fd"
guest_pre_attestation_keyset = "KEYSET-1"
guest_pre_attestation_secret_guid = "1ee27366-0c87-43a6-af48-28543eaf7cb0"
guest_pre_attestation_secret_type = "connection"
kernel_params = "agent.config_file=/etc/agent-config.toml agent.enable_signature_verification=false "

[agent.kata]
kernel_modules = []
"""

GUID, TYPE = "guest_pre_attestation_secret_guid", "guest_pre_attestation_secret_type"
ONLINE = KbcSettings(
    name="online_sev_kbc", settings={TYPE: "connection", GUID: "1ee27366-0c87-43a6-af48-28543eaf7cb0"}
)
OFFLINE = KbcSettings(
    name="offline_sev_kbc", settings={TYPE: "bundle", GUID: "e6f5a162-d67f-4750-a67c-5d065f2a9910"}
)


def stock() -> KataConfiguration:
    return KataConfiguration.parse("/c.toml", TEXT.encode())


def test_online_edit_adds_the_parameter_once_however_often_it_is_made() -> None:
    once = stock().for_online_kbc(ONLINE, "192.0.2.1:44444")
    twice = once.for_online_kbc(ONLINE, "192.0.2.2:44444")
    assert twice.kernel_params == [
        "agent.config_file=/etc/agent-config.toml",
        "agent.enable_signature_verification=false",
        "agent.aa_kbc_params=online_sev_kbc::192.0.2.2:44444",
    ]


def test_offline_edit_after_the_online_one_names_no_kbc() -> None:
    offline = stock().for_online_kbc(ONLINE, "192.0.2.1:44444").for_offline_kbc(OFFLINE)
    assert not [parameter for parameter in offline.kernel_params if "aa_kbc_params" in parameter]
    assert (offline.is_for(OFFLINE), offline.is_for(ONLINE)) == (True, False)


def test_online_edit_undoes_the_offline_one() -> None:
    online = stock().for_offline_kbc(OFFLINE).for_online_kbc(ONLINE, "192.0.2.1:44444")
    assert (online.is_for(OFFLINE), online.is_for(ONLINE)) == (False, True)


def test_where_kata_tells_the_guest_the_kbs_address_itself_no_parameter_does() -> None:
    mode, uri = "guest_pre_attestation_kbs_mode", "guest_pre_attestation_kbs_uri"
    kbc = KbcSettings(name="online_sev_kbc", settings={mode: "online"})
    own = stock().asking(kbc, "192.0.2.9:1").for_online_kbc(kbc, "192.0.2.1:44444", kbs_uri=uri)
    assert f'{uri} = "192.0.2.1:44444"' in own.text
    assert f'{mode} = "online"' in own.text
    assert "aa_kbc_params" not in own.text
    assert (
        own.asking(kbc, "192.0.2.2:1").kernel_params[-1] == "agent.aa_kbc_params=online_sev_kbc::192.0.2.2:1"
    )


def test_editing_leaves_comments_and_other_keys_alone() -> None:
    edited = stock().with_values(initrd="/own.img").text
    assert edited == TEXT.replace("/share/initrd.img", "/own.img")


@pytest.mark.parametrize(
    ("data", "cause"),
    [
        (b"[hypervisor.qemu\n", "is not TOML"),
        (b"\xff\xfe", "is not TOML"),
        (b"[hypervisor.clh]\n", r"no \[hypervisor.qemu\] table"),
        (b"hypervisor = 3\n", r"no \[hypervisor.qemu\] table"),
    ],
)
def test_what_is_no_kata_configuration_is_refused_with_its_path(data: bytes, cause: str) -> None:
    with pytest.raises(LabError, match=rf"^/c.toml on the host .*{cause}"):
        KataConfiguration.parse("/c.toml", data)


def test_a_value_of_another_type_is_named() -> None:
    broken = stock().with_values(kernel_params=3)
    with pytest.raises(LabError, match="kernel_params is int, not a string"):
        _ = broken.kernel_params


@pytest.mark.parametrize("fips", ["", " fips=1"])
def test_a_command_line_ends_in_the_parameters_but_for_the_one_of_fips_mode(fips: str) -> None:
    own = " ".join(stock().kernel_params)
    assert stock().ends(f"panic=1 {own}{fips}")
    assert not stock().ends(f"panic=1 {own} x{fips}")
    assert not stock().ends(f"panic=1 {own}{fips} fips=0")
    assert stock().with_kernel_params("fips=1").ends(f"panic=1 {own} fips=1{fips}")
