Feature: Step two - the operator's RuntimeClasses
  What a pod names to be started by one of the CC runtimes.

  @O-3.2
  Scenario: The RuntimeClasses of the release exist, each with the handler of its name
    Then every RuntimeClass of the profile exists with the handler of its name
