Feature: Step one - the test cluster
  A host whose firewall and SELinux are out of the way, docker, containerd as the guide sets it up,
  and a cluster on it. Kubernetes itself is asserted, and not installed.

  @C-1.1
  Scenario: firewalld is inactive
    Given the guide was followed for C-1.1
    Then firewalld is inactive

  @C-1.2
  Scenario: SELinux is disabled or not enforcing
    Given the guide was followed for C-1.2
    Then SELinux is not enforcing

  @C-2.1
  Scenario: operator-sdk is installed, and runs
    Given the guide was followed for C-2.1
    Then operator-sdk tells the profile's version

  @C-3.1
  Scenario: docker is installed and running
    Given the guide was followed for C-3.1
    Then docker is running, and its server answers

  @C-3.2
  Scenario: A local registry is up and answers on port 5000
    Given the guide was followed for C-3.2
    Then a container that is up publishes port 5000
    And a registry answers on port 5000

  @C-4.1
  Scenario: containerd has a configuration, and serves Kubernetes with it
    Given the guide was followed for C-4.1
    Then containerd has a configuration file that serves Kubernetes

  @C-4.2
  Scenario: containerd's sandbox image is the mirror's
    Given the guide was followed for C-4.2
    Then containerd's sandbox image is the guide's mirror of it

  @C-4.3
  Scenario: containerd is running
    Given the guide was followed for C-4.3
    Then containerd is running

  @C-5.1
  Scenario: Kubernetes is recent enough, and the node is Ready
    Then the cluster's Kubernetes is at least the profile's
    And the SEV host's node is Ready

  @C-5.2
  Scenario: A node carries the worker label
    Given the guide was followed for C-5.2
    Then at least one node carries the worker label with an empty value
