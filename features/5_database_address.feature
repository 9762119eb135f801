Feature: Appendix - where the KBS keeps its policies
  The database listens in a docker network only; the guide asks docker for its address.

  @A-2.4
  Scenario: The database's address is discovered from the running containers
    Given the guide was followed for K-1.3
    Then the database answers at the address of its container
