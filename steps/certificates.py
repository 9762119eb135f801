"""The platform's certificate chain."""

from __future__ import annotations

from pytest_bdd import given, then

from lab.platform import Platform


@given("the SEV certificate chain was exported")
def export_chain(platform: Platform) -> None:
    """Convergence: `sevctl export --full` where there is none yet."""
    platform.ensure_exported()


@then("every signature of the chain verifies, up to the platform vendor's root")
def verify_chain(platform: Platform) -> None:
    """Clause W-2.2."""
    broken = platform.broken_links()
    assert broken == [], "; ".join(broken)


@then("the chain's PDH is the one that the platform reports")
def name_this_platform(platform: Platform) -> None:
    """Clause W-2.2: another machine's chain verifies as well."""
    assert platform.exported_pdh() == platform.reported_pdh(), "the chain is another platform's"
