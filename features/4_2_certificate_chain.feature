Feature: Step four, example two - the platform's SEV certificate chain
  The KBS opens a session with the platform that this chain names.

  Background:
    Given the SEV certificate chain was exported

  @W-2.2
  Scenario: The full certificate chain verifies, and is this platform's
    Then every signature of the chain verifies, up to the platform vendor's root
    And the chain's PDH is the one that the platform reports
