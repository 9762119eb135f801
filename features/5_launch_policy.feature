Feature: Appendix - a policy releases the key to one launch digest only
  The tenant computes the digest of the guest that may have the key, and the KBS holds every launch to it.

  Background:
    Given the guide was followed for W-2.2, O-3.1, K-1.3 and K-1.4
    And the platform's SEV certificate chain is exported and verifies
    And simple-kbs answers
    And the encrypted busybox's image is encrypted with the guide's key
    And no policy on the guide's key and keyset

  @A-2.1 @A-2.2 @A-2.3
  Scenario: The launch digest follows from the firmware, kernel, initrd and command line of the real guest
    Given a configuration of its own for the encrypted busybox with the online KBC
    Then its firmware, kernel and initrd are the files that the lab file pins
    When the encrypted busybox is started on that configuration
    Then the pod is Running, which K-1.5 proves
    And its VM was started with the firmware, kernel and initrd of its kata configuration
    And its command line ends in its configuration's kernel parameters
    And the KBS recorded the launch under the digest that the suite computes

  @A-2.5
  Scenario: A policy that was written is in force on the key
    Given a running encrypted busybox with the online KBC, whose launch digest is known
    When a policy that lists another digest is set on the guide's key
    Then the database gives that policy back as it was written
    And the KBS refuses the key to that launch with "Policy validation failed: fw digest not valid"
    When a policy that lists its digest is set on the guide's key
    Then the KBS gives the key to that launch when the suite asks

  @A-2.6
  Scenario Outline: With the matching digest the encrypted busybox runs with the <kbc> KBC
    Given a configuration of its own for the encrypted busybox with the <kbc> KBC
    And its launch digest is known from a first launch
    And a policy that lists its digest is set for the <kbc> KBC
    When the encrypted busybox is started on that configuration
    Then the pod is Running
    And its launch digest is the known one

    Examples:
      | kbc     |
      | online  |
      | offline |

  @A-2.7
  Scenario: With another digest in the policy the KBS refuses the key to the online KBC
    Given a configuration of its own for the encrypted busybox with the online KBC
    And its launch digest is known from a first launch
    And a policy that lists another digest is set for the online KBC
    When the encrypted busybox is started on that configuration
    Then the pod is refused at its image, for want of the decryption key
    And the KBS refuses the key to that launch with "Policy validation failed: fw digest not valid"
    Given a policy that lists its digest is set for the online KBC
    When the encrypted busybox is started on that configuration
    Then the pod is Running, which A-2.6 proves

  @A-2.7
  Scenario: With another digest in the policy the KBS refuses the launch secret to the offline KBC
    Given a configuration of its own for the encrypted busybox with the offline KBC
    And its launch digest is known from a first launch
    And a policy that lists another digest is set for the offline KBC
    When the encrypted busybox is started on that configuration
    Then the pod is refused at its launch with "Policy validation failed: fw digest not valid"
    Given a policy that lists its digest is set for the offline KBC
    When the encrypted busybox is started on that configuration
    Then the pod is Running, which A-2.6 proves

  @A-2.8
  Scenario: Each other field of a policy refuses the key to the online KBC
    Given what a launch shows the KBS beside its digest is known from the platform
    And a policy that this just meets in every field is set on the guide's key
    When the encrypted busybox is started with the online KBC and a digest of its own
    Then the pod is Running, which A-2.6 proves
    And the KBS recorded that launch with what the platform shows
    When a policy that this misses in its firmware API major is set on the guide's key
    Then the KBS refuses the key to that launch with "Policy validation failed: fw api major not valid"
    When a policy that this misses in its firmware API minor is set on the guide's key
    Then the KBS refuses the key to that launch with "Policy validation failed: fw api minor not valid"
    When a policy that this misses in its firmware build id is set on the guide's key
    Then the KBS refuses the key to that launch with "Policy validation failed: build id not valid"
    When a policy that this misses in its SEV policy flags is set on the guide's key
    Then the KBS refuses the key to that launch with "Policy validation failed: policy not valid"
    When the encrypted busybox is started with the online KBC and a digest of its own
    Then the pod is refused at its image, for want of the decryption key
    And the KBS refuses the key to that launch with "Policy validation failed: policy not valid"
    When a policy that this just meets in every field is set on the guide's key
    Then the KBS gives the key to that launch when the suite asks

  @A-2.8
  Scenario Outline: A policy on the <field> refuses the launch secret to the offline KBC
    Given what a launch shows the KBS beside its digest is known from the platform
    And a configuration of its own for the encrypted busybox with the offline KBC
    And a policy that this misses in its <field> is set for the offline KBC
    When the encrypted busybox is started on that configuration
    Then the pod is refused at its launch with "Policy validation failed: <cause>"
    Given a policy that this just meets in its <field> is set for the offline KBC
    When the encrypted busybox is started on that configuration
    Then the pod is Running, which A-2.6 proves

    Examples:
      | field              | cause                  |
      | SEV policy flags   | policy not valid       |
      | firmware API major | fw api major not valid |
      | firmware API minor | fw api minor not valid |
      | firmware build id  | build id not valid     |
