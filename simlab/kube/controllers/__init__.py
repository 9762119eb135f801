"""The cluster's controllers and scheduler.

Plain clients of the Kubernetes API that know nothing of the server behind it.

They use standard calls only, so that they serve a real kube-apiserver as well.
"""
