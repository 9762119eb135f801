"""AMD SEV's certificates and launch session, as AMD's SEV API specification (document 55766) lays them out.

The guest owner's half of the session is `simlab.sev.owner`; the platform's half is `simlab.psp.guest`. Both
rest on `simlab.sev.primitives`, and each implements the protocol by itself, so that the two agree only where
the specification makes them agree.
"""
