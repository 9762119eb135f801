Feature: Appendix - a new encrypted image
  The tenant encrypts an image with a key of its own, and puts the key into the KBS and the image into a registry.

  Background:
    Given the guide was followed for W-2.2, O-3.1 and K-1.3
    And the platform's SEV certificate chain is exported and verifies
    And simple-kbs answers
    And a registry that guests can pull from

  @A-1.1
  Scenario Outline: A new encrypted image runs with its own key, and not with another, with the <kbc> KBC
    Given a newly encrypted image in that registry, whose key is in the KBS
    When the new image is started with the <kbc> KBC
    Then no policy refuses the pod, which K-1.5 proves
    And the pod is Running
    When the KBS has another key in its place
    And the new image is started with the <kbc> KBC
    Then the pod is refused at its image, as the key does not decrypt it

    Examples:
      | kbc     |
      | online  |
      | offline |
