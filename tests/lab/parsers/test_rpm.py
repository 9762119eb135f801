import pytest

from lab.errors import LabError
from lab.parsers.rpm import Package, parse_kernel_release, parse_packages
from lab.rpm_version import Evr

OUTPUT = """\
grub2-efi-x64\t1:2.02-123.0.2.an8_6.8\tx86_64
kernel\t0:4.19.91-26.an8\tx86_64
package docker-ce is not installed
"""


def test_packages_are_read_with_their_epochs() -> None:
    grub, kernel = parse_packages(OUTPUT)
    assert grub == Package("grub2-efi-x64", Evr(1, "2.02", "123.0.2.an8_6.8"), "x86_64")
    assert grub.spec == "grub2-efi-x64-1:2.02-123.0.2.an8_6.8.x86_64"
    assert (kernel.name, str(kernel.evr)) == ("kernel", "4.19.91-26.an8")


def test_a_package_without_a_readable_version_is_named() -> None:
    with pytest.raises(LabError, match=r"a package kernel: .* is no version"):
        parse_packages("kernel\t0:-\tx86_64\n")


def test_the_running_kernel_is_read_as_its_package() -> None:
    assert parse_kernel_release("5.10.134-13_rc2.an8.x86_64\n") == Evr(0, "5.10.134", "13_rc2.an8")
    assert parse_kernel_release("6.1.0-rc3") == Evr(0, "6.1.0", "rc3")
    # Nobody's package, such as Debian's or one that a person built.
    other = parse_kernel_release("6.1.0-13-amd64\n")
    assert (str(other), other.is_of("6.1"), other.is_of("5.10")) == ("6.1.0-13-amd64", True, False)
    with pytest.raises(LabError, match="tells no release"):
        parse_kernel_release("")
