"""Would the suite notice? Runs it under every fault of the simulated lab's catalogue, and writes what came.

`python -m tools.sensitivity` (`tox -e sensitivity`); docs/sensitivity.md is what it found last.
"""
