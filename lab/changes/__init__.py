"""What the guide wants to last, as changes: each looks, and acts only where the look says so.

One module a noun. `lab.convergence` has them in the guide's order; `lab.provisioning` makes them.
"""
