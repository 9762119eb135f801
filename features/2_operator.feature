Feature: Step two - the operator and its RuntimeClasses
  What the operator needs of a node, and what a pod names to be started by one of the CC runtimes.

  @O-1.1
  Scenario: The node has the memory and the vCPUs that the guide asks for
    Then the SEV host's node has at least the profile's memory and vCPUs

  @O-1.2
  Scenario: The node's container runtime is containerd
    Then the SEV host's node runs the profile's container runtime

  @O-3.2
  Scenario: The RuntimeClasses of the release exist, each with the handler of its name
    Then every RuntimeClass of the profile exists with the handler of its name
