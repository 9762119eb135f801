"""Capabilities and drivers: what the suite can do to a lab and ask of it. Plain Python, without pytest.

Pods: `workload` starts and judges them, `confidential` on kata configurations (`kata`) of their own.
Launches: `launches` measures (`measurement`) what `node` sees of a VM; `artefacts` has the pinned files.
KBS: `broker` finds and asks it (`kbs`), `launch_policy` sets what it holds launches to, `relay` listens in.
Platform: `platform` and its certificate chain (`certificates`).
Changes: `provisioning` for what is to last; `borrowing`, with `journal` and `lock`, for what is given back.
Ways in: `host`, over one SSH connection (`link`, `ssh`); `cluster`, over the host (`kube_api`, `watching`).
In and out: `labfile`, `profile` and `loading`; `record` and `errors`, whose kinds decide the `verdict`.
"""
