Feature: Step one - the test cluster
  A host whose firewall and SELinux are out of the way, containerd as the guide sets it up, and a cluster on it.

  @C-1.1
  Scenario: firewalld is inactive
    Given the guide was followed for C-1.1
    Then firewalld is inactive

  @C-1.2
  Scenario: SELinux is disabled or not enforcing
    Given the guide was followed for C-1.2
    Then SELinux is not enforcing

  @C-4.1
  Scenario: containerd has a configuration, and serves Kubernetes with it
    Then containerd has a configuration file that serves Kubernetes

  @C-4.2
  Scenario: containerd's sandbox image is the mirror's
    Then containerd's sandbox image is the guide's mirror of it

  @C-4.3
  Scenario: containerd is running
    Then containerd is running

  @C-5.1
  Scenario: Kubernetes is recent enough, and the node is Ready
    Then the cluster's Kubernetes is at least the profile's
    And the SEV host's node is Ready

  @C-5.2
  Scenario: A node carries the worker label
    Then at least one node carries the worker label with an empty value
