Feature: Step three - simple-kbs holds the key of the guide's encrypted image
  The tenant's key broker and its database, as the guide's docker compose starts them.

  @K-1.1
  Scenario: docker compose is installed
    Given the guide was followed for K-1.1
    Then docker compose tells its version

  @K-1.2
  Scenario: simple-kbs is at the guide's tag
    Given the guide was followed for K-1.2
    Then simple-kbs is checked out at the profile's tag
    And files of the checkout that differ from the tag's are reported

  @K-1.3
  Scenario: simple-kbs and its database run and answer
    Given the guide was followed for K-1.3
    Then one container of simple-kbs' server and one of its database are running
    And simple-kbs answers a request for a launch that it does not know with its own refusal
    And the database answers at the address of its container

  @K-1.4
  Scenario: The database holds the guide's key and keyset
    Given the guide was followed for K-1.3 and K-1.4
    Then the database holds the guide's key, and the guide's keyset lists it

  @K-1.5
  Scenario: With no policy on it, the key is released to a launch that nobody listed
    Given the guide was followed for W-2.2, O-3.1, K-1.3 and K-1.4
    And the platform's SEV certificate chain is exported and verifies
    And simple-kbs answers
    And the encrypted busybox's image is encrypted with the guide's key
    And no policy on the guide's key and keyset
    When the encrypted busybox is started with the online KBC and a digest of its own
    Then the pod is Running
    And the KBS recorded the launch under the digest that the suite computes
    And the KBS gives the key to that launch when the suite asks
