Feature: Beyond the guide - what a reader of the report must know
  These clauses decide nothing. One that does not hold is listed as a finding.

  Background:
    Given the guide was followed for W-2.2, O-3.1, K-1.3 and K-1.4
    And the platform's SEV certificate chain is exported and verifies
    And simple-kbs answers
    And the encrypted busybox's image is encrypted with the guide's key
    And no policy on the guide's key and keyset

  @X-2.1
  Scenario: A key is kept though its policy is broken
    Given a running encrypted busybox with the online KBC, whose launch digest is known
    And a key of the suite's own in the KBS
    Then the KBS keeps that key from that launch where its policy is revoked, deleted, malformed or NULL

  @X-2.3
  Scenario: The SEV policy of guests forbids debugging and key sharing
    Given a configuration of its own for the encrypted busybox whose SEV policy forbids debugging and key sharing
    When the encrypted busybox is started on that configuration
    Then the pod is Running, which K-1.5 proves
    And it was launched with that configuration's SEV policy, as QEMU and the KBS tell
    When the encrypted busybox is started with the online KBC and a digest of its own
    Then the pod is Running, which K-1.5 proves
    And the SEV policy that it was launched with, as QEMU and the KBS tell, forbids debugging and key sharing

  @X-3.1
  Scenario: The encrypted busybox runs as an SEV-ES guest, with its own digest
    Given the host offers SEV-ES
    And a configuration of its own for the encrypted busybox whose SEV policy demands SEV-ES
    When the encrypted busybox is started on that configuration
    Then the pod is Running
    And the KBS recorded the launch under the digest that the suite computes
    And it was launched with that configuration's SEV policy, as QEMU and the KBS tell
    When a policy that lists the digest of the same guest without SEV-ES is set on the guide's key
    Then the KBS refuses the key to that launch with "Policy validation failed: fw digest not valid"
    When a policy that lists its digest is set on the guide's key
    Then the KBS gives the key to that launch when the suite asks
