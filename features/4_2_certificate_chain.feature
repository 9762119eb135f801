Feature: Step four, example two - the platform's SEV certificate chain
  The KBS opens a session with the platform that this chain names.

  @W-2.1
  Scenario: sevctl is installed
    Given the guide was followed for W-2.1
    Then sevctl tells its version

  @W-2.2
  Scenario: The full certificate chain verifies, and is this platform's
    Given the guide was followed for W-2.2
    Then every signature of the chain verifies, up to the platform vendor's root
    And the chain's PDH is the one that the platform reports
