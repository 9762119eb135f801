"""The platform's certificate chain."""

from __future__ import annotations

from pytest_bdd import given, then

from lab.platform import Platform


@given("the platform's SEV certificate chain is exported and verifies")
def require_good_chain(platform: Platform) -> None:
    """Precondition: clause W-2.2 owns the fact."""
    platform.require_good_chain()


@then("every signature of the chain verifies, up to the platform vendor's root")
def verify_chain(platform: Platform) -> None:
    """Clause W-2.2."""
    broken = platform.broken_links()
    assert broken == [], "; ".join(broken)


@then("the chain's PDH is the one that the platform reports")
def name_this_platform(platform: Platform) -> None:
    """Clause W-2.2: another machine's chain verifies as well."""
    foreign = platform.foreign_pdh()
    assert foreign is None, foreign
