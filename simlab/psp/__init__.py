"""A platform security processor in software: real keys, real arithmetic, and a root of its own.

`python -m simlab.psp --init --state DIR` makes a platform, `python -m simlab.psp --socket PATH --state DIR`
serves it, and `simlab.psp.client.Sev` talks to it. Source of the commands: AMD's SEV API specification,
document 55766.
"""
