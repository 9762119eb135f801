"""Capabilities and drivers: what the suite can do to a lab and ask of it. Plain Python, without pytest.

Pods: `workload` starts and `outcome` judges them, `confidential` has configurations (`kata`) of its own.
Launches: `launches` measures (`measurement`) what `node` sees of a VM; `artefacts` has the pinned files.
KBS: `broker` finds and asks it (`kbs`), `launch_policy` sets what it holds launches to, `relay` listens in.
Platform: `platform` and its certificate chain (`certificates`).
The host: `machine`, `memory_encryption`, `services`, `packages`, `boot`, `containerd`, `registry`.
The cluster: `worker_nodes`, `node_service`, `operator`, `kubectl`.
The guide's lasting changes: `changes`, a module a noun; `guide` has them in order, `convergence` makes them.
Changes: `provisioning` for what is to last; `borrowing` and `giving_back`, with `journal` and `lock`.
All of one lab: `parts`.
Ways in: `host`, over one SSH connection (`link`, `ssh`, `login`); `cluster` over it (`kube_api`, `watching`).
In and out: `labfile`, `profile` and `loading`; `record` and `errors`, whose kinds decide the `verdict`.
"""
