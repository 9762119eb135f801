"""A Kubernetes node: kubelet, containerd and kata's shim, as clients of the API, the registry, the KBS and QEMU."""
