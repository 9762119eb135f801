Feature: Step two - the operator and its RuntimeClasses
  What the operator needs of a node, and what a pod names to be started by one of the CC runtimes.

  @O-1.1
  Scenario: The node has the memory and the vCPUs that the guide asks for
    Then the SEV host's node has at least the profile's memory and vCPUs

  @O-1.2
  Scenario: The node's container runtime is containerd
    Then the SEV host's node runs the profile's container runtime

  @O-2.1
  Scenario: The operator of the release is deployed
    Given the guide was followed for O-2.1
    Then the operator's controller is that of the profile's release

  @O-2.2
  Scenario: The image of the controller's proxy is one that can be reached
    Given the guide was followed for O-2.2
    Then the image of the controller's proxy is the profile's

  @O-3.1
  Scenario: The custom resource exists, and its installation completed on every node
    Given the guide was followed for O-3.1
    Then the one CcRuntime tells that it is installed on every node
    And containerd on the SEV host has a runtime for each RuntimeClass of the profile

  @O-2.3
  Scenario: The operator's three pods all exist, and are Running and ready
    Given the guide was followed for O-3.1
    Then the controller, and on every worker both daemons, are Running with all containers ready

  @O-3.2
  Scenario: The RuntimeClasses of the release exist, each with the handler of its name
    Given the guide was followed for O-3.1
    Then every RuntimeClass of the profile exists with the handler of its name

  @O-4.1
  Scenario: Uninstalling removes what installing added, and what it leaves behind is reported
    Given the guide was followed for O-3.1
    When the operator is uninstalled, as the guide does
    Then what the uninstallation leaves behind is reported
    And what it should have removed is gone
    And what others own on host and cluster is as it was
    And containerd is running
    And the SEV host's node is Ready

  @O-4.2
  Scenario: Installing again after an uninstallation brings the pods and the RuntimeClasses back
    Given the operator is uninstalled, which O-4.1 proves
    When the operator is installed again, as the guide does
    Then the one CcRuntime tells that it is installed on every node
    And the controller, and on every worker both daemons, are Running with all containers ready
    And every RuntimeClass of the profile exists with the handler of its name
    And stock files that came back in the place of others are reported
