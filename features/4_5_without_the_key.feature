Feature: Step four, example two - without the key, no encrypted container
  What the host can see of the image is worth nothing without the KBS's answer.

  Background:
    Given the guide was followed for W-2.2, O-3.1, K-1.3 and K-1.4
    And the platform's SEV certificate chain is exported and verifies
    And simple-kbs answers
    And the encrypted busybox's image is encrypted with the guide's key
    And no policy on the guide's key and keyset

  @W-5.1
  Scenario: Without an answer of the KBS at run time the encrypted busybox does not run
    Given a port of the host on which nobody listens
    When the encrypted busybox is started with an online KBC that asks there
    Then the pod is refused at its image, for want of the decryption key
    When the encrypted busybox is started with the online KBC and a digest of its own
    Then the pod is Running, which W-3.3 proves

  @W-5.1
  Scenario: With a bundle that lacks the key the encrypted busybox does not run
    Given a keyset of the suite's own without the guide's key
    When the encrypted busybox is started with the offline KBC on that keyset
    Then the pod is refused at its image, for want of the decryption key
    Given a keyset of the suite's own with the guide's key
    When the encrypted busybox is started with the offline KBC on that keyset
    Then the pod is Running, which W-4.3 proves

  @W-5.2
  Scenario: Under a RuntimeClass that is not confidential the encrypted busybox does not run
    Given the RuntimeClass for unencrypted images exists with the handler of its name
    When the encrypted busybox is started with that RuntimeClass
    Then the pod is refused at its image, for want of the decryption key
    When nginx is started with that RuntimeClass
    Then the pod is Running, which W-1.2 proves
    When the encrypted busybox is started with the online KBC and a digest of its own
    Then the pod is Running, which W-3.3 proves
