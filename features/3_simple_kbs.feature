Feature: Step three - simple-kbs holds the key of the guide's encrypted image
  The tenant's key broker and its database, as the guide's docker compose starts them.

  @K-1.3
  Scenario: simple-kbs and its database run and answer
    Then one container of simple-kbs' server and one of its database are running
    And simple-kbs answers a request for a launch that it does not know with its own refusal
    And the database answers at the address of its container

  @K-1.4
  Scenario: The database holds the guide's key and keyset
    Then the database holds the guide's key, and the guide's keyset lists it

  @K-1.5
  Scenario: With no policy on it, the key is released to a launch that nobody listed
    Given the platform's SEV certificate chain is exported and verifies
    And simple-kbs answers
    And the encrypted busybox's image is encrypted with the guide's key
    And no policy on the guide's key and keyset
    When the encrypted busybox is started with the online KBC and a digest of its own
    Then the pod is Running
    And the KBS recorded the launch under the digest that the suite computes
    And the KBS gives the key to that launch when the suite asks
