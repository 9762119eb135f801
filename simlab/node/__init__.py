"""A Kubernetes node: kubelet, containerd and kata's shim; clients of the API, registries, the KBS, QEMU."""
