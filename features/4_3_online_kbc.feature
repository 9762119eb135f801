Feature: Step four, example two - the encrypted busybox with the online KBC
  The guest asks the KBS for the key at run time, over a connection that was injected at launch.

  Background:
    Given the guide was followed for W-2.2, O-3.1, K-1.3 and K-1.4
    And the platform's SEV certificate chain is exported and verifies
    And simple-kbs answers
    And the encrypted busybox's image is encrypted with the guide's key
    And no policy on the guide's key and keyset

  @W-3.1 @W-3.2 @W-3.3
  Scenario: The guide's own way - the node's configuration is set for the online KBC
    Given the node's kata SEV configuration is set for the online KBC, as the guide does
    When the encrypted busybox is started on that configuration
    Then no policy refuses the pod, which K-1.5 proves
    And the pod is Running
    And its VM is an SEV guest
    And its VM boots the online-KBC initrd that the node's configuration names
    And its kernel parameters name the online KBC and the KBS's address
    And the KBS recorded the launch under the digest that the suite computes

  @W-3.4
  Scenario: Each online connection has a new symmetric key, and each request a guid of its own
    Given a relay on the host that keeps what guests send to the KBS
    When the encrypted busybox is started twice with the online KBC through the relay
    Then both pods are Running, which W-3.3 proves
    And the KBS recorded two connections with different symmetric keys
    And every request that the guests sent carried a guid of its own
