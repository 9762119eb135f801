"""The simulated lab: one SEV host with its cluster, operator and KBS, on this machine.

It speaks a real lab's protocols and computes its outcomes from causes. It knows nothing of the suite.
"""
