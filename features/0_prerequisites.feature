Feature: Prerequisites - an SEV host with SEV and SME enabled
  Anolis OS on an AMD processor, a kernel that knows SEV, and memory encryption that is really on.

  @P-1.1
  Scenario: The host runs the guide's operating system on an AMD processor with SEV
    Then the operating system is the profile's
    And the processor is AMD's and offers SEV

  @P-2.1
  Scenario: The repository of the newer kernel is configured
    Given the guide was followed for P-2.1
    Then an enabled repository has the URL of the newer kernel's

  @P-2.2
  Scenario: The running kernel is of the guide's series, and one that is installed
    Given the guide was followed for P-2.2
    Then the running kernel is of the profile's series
    And the running kernel is that of an installed package

  @P-3.1
  Scenario: The BaseOS repository is that of the release with the older grub
    Given the guide was followed for P-3.1
    Then every URL of the BaseOS repository names the older release

  @P-3.2
  Scenario: grub and its companions are at the version without the bug
    Given the guide was followed for P-3.2
    Then all of grub's packages are at the profile's version

  @P-3.3
  Scenario: Every boot entry and the running kernel have the parameters that enable SEV and SME
    Given the guide was followed for P-3.3
    Then every boot entry has SEV's kernel parameters
    And the running kernel has SEV's kernel parameters

  @P-3.4
  Scenario: SEV is enabled, with its firmware and a number of ASIDs
    Given an AMD processor that offers SEV
    And the guide was followed for P-3.3
    Then SEV is enabled
    And the SEV firmware tells the version of its API
    And there are ASIDs for encrypted guests

  @P-3.5
  Scenario: SME is active
    Given an AMD processor that offers SEV
    And the guide was followed for P-3.3
    Then SME is active
