"""Kinds of evidence that programs read again: what the system itself said while a scenario ran."""

from __future__ import annotations

from enum import StrEnum


class Fact(StrEnum):
    """What a piece of evidence holds (docs/results.md, "Triage")."""

    EVENTS = "events"
    NODE = "node"
    KBS_ANSWER = "kbs-answer"
    KBS_LOG = "kbs-log"
    JOURNAL = "journal"
    KERNEL_LOG = "kernel-log"
    CONTAINERS = "containers"
    CONNECTIONS = "connections"
    COMMAND = "command"
