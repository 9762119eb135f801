"""A run of the suite: its options, its lab, its record. Scenarios are in `features/`."""

from __future__ import annotations

import pytest

# Before the modules are imported, or their asserts would say nothing.
pytest.register_assert_rewrite("steps", "lab")

pytest_plugins = [
    "fixtures.options",
    "fixtures.collection",
    "fixtures.conformance",
    "fixtures.session",
    "fixtures.scenario",
    "fixtures.aftermath",
    "fixtures.own",
    "fixtures.workers",
    "steps.advisory",
    "steps.certificates",
    "steps.challenge",
    "steps.cluster",
    "steps.host",
    "steps.images",
    "steps.kbs",
    "steps.launch",
    "steps.launch_secret",
    "steps.operator",
    "steps.own_image",
    "steps.pods",
    "steps.reboot",
    "steps.policy_fields",
]
