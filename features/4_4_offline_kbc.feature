Feature: Step four, example two - the encrypted busybox with the offline KBC
  The whole keyset is injected at launch; the guest asks nobody at run time.

  Background:
    Given the guide was followed for W-2.2, O-3.1, K-1.3 and K-1.4
    And the platform's SEV certificate chain is exported and verifies
    And simple-kbs answers
    And the encrypted busybox's image is encrypted with the guide's key
    And no policy on the guide's key and keyset

  @W-4.1 @W-4.2 @W-4.3
  Scenario: The guide's own way - the node's configuration is set for the offline KBC
    Given the node's kata SEV configuration is set for the offline KBC, as the guide does
    When the encrypted busybox is started on that configuration
    Then no policy refuses the pod, which K-1.5 proves
    And the pod is Running
    And its VM is an SEV guest
    And its VM boots the offline-KBC initrd that the node's configuration names
    And the node's configuration asks for the launch secret of the offline KBC
    And its kernel parameters name no KBC
    And the KBS's log shows its launch under the digest that the suite computes

  @W-4.4
  Scenario: The offline KBC never talks to the KBS at run time
    When the encrypted busybox is started with the offline KBC and a digest of its own
    Then the pod is Running, which W-4.3 proves
    And the KBS gave that launch its secret and nothing more, and recorded no connection for it
    When the encrypted busybox is started with the online KBC and a digest of its own
    Then the pod is Running, which W-3.3 proves
    And the KBS gave that launch more than its secret, and recorded its connection

  @W-4.5
  Scenario: A launch secret that is too long is refused at launch
    Given a keyset with the guide's key and more keys than a launch secret has room for
    When the encrypted busybox is started with the offline KBC on that keyset
    Then the pod is refused at its launch, as its secret cannot be injected
    Given a keyset with the guide's key and one of these
    When the encrypted busybox is started with the offline KBC on that keyset
    Then the pod is Running, which W-4.3 proves
