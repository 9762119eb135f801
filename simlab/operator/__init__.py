"""The CoCo operator v0.3.0: its release as kustomizations, its manager, and the programs of its daemons.

All of it is a client of the Kubernetes API. The manager and the daemons' programs run in pods: their images'
configuration names the module that acts for them (`simlab.node.containerd.cri.PROGRAM_LABEL`).
"""
