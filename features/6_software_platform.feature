Feature: Beyond the guide - a platform in software
  Only the root of a certificate chain tells AMD's hardware from a program that plays it.

  @X-2.2
  Scenario: The KBS refuses a certificate chain that does not end in the platform vendor's root
    Given the guide was followed for W-2.2 and K-1.3
    And the platform's SEV certificate chain is exported and verifies
    And simple-kbs answers
    And the KBS opens a launch for the platform's own certificate chain
    And a certificate chain made in software, in which all is well but its root
    Then the KBS opens no launch for that chain with a forged signature
    And the KBS opens no launch for that chain
