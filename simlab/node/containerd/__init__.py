"""containerd as the kubelet sees it: the container runtime interface, its configuration, its images."""
