Feature: Step four, example one - an unencrypted image in a kata VM
  The guest pulls the image; the host never has it.

  @W-1.1
  Scenario: The nginx image is not on the host before
    Then the host's containerd has no nginx image

  @W-1.2 @W-1.3
  Scenario: nginx runs in a kata VM, and its image is still not on the host
    Given the guide was followed for O-3.1
    And the RuntimeClass for unencrypted images exists with the handler of its name
    And the host's containerd had no nginx image before, which W-1.1 proves
    And what it has of the image's layers and files is known
    When nginx is started with that RuntimeClass
    Then the pod is Running
    And a QEMU process on the host is the pod's VM
    And the host's containerd has no nginx image
    And the host got neither a layer of the image nor a file of it
    When the pod is stopped
    Then the host got neither a layer of the image nor a file of it
