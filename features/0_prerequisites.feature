Feature: Prerequisites - an SEV host with SEV and SME enabled
  Anolis OS on an AMD processor, a kernel that knows SEV, and memory encryption that is really on.

  @P-1.1
  Scenario: The host runs the guide's operating system on an AMD processor with SEV
    Then the operating system is the profile's
    And the processor is AMD's and offers SEV

  @P-2.2
  Scenario: The running kernel is of the guide's series
    Then the running kernel is of the profile's series

  @P-3.4
  Scenario: SEV is enabled, with its firmware and a number of ASIDs
    Given an AMD processor that offers SEV
    Then SEV is enabled
    And the SEV firmware tells the version of its API
    And there are ASIDs for encrypted guests

  @P-3.5
  Scenario: SME is active
    Given an AMD processor that offers SEV
    Then SME is active
