Feature: Beyond the guide - what of its outcomes lasts over a reboot
  What the guide sets for the running system only is gone with it, and the operator's installer starts again.

  @X-1.1
  Scenario: After a reboot every state clause still holds
    Given rebooting the host is permitted
    And the guide was followed for O-3.1, K-1.3 and K-1.4
    And the guide was followed as far as the lab lets it
    And the node's kata SEV configuration is set for the online KBC, as the guide does
    And the node's configuration and initrd as they are
    And the state clauses that hold
    When the host is rebooted
    Then every state clause that held still holds
