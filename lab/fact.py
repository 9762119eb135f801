"""Kinds of evidence that programs read again: what the system itself said while a scenario ran."""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class Fact(StrEnum):
    """What a piece of evidence holds (docs/results.md, "Triage"; docs/certification.md)."""

    EVENTS = "events"
    NODE = "node"
    KBS_ANSWER = "kbs-answer"
    KBS_LOG = "kbs-log"
    JOURNAL = "journal"
    KERNEL_LOG = "kernel-log"
    CONTAINERS = "containers"
    CONNECTIONS = "connections"
    COMMAND = "command"
    POD = "pod"
    LAUNCH = "launch"
    KATA_CONFIGURATION = "kata-configuration"
    KBS_CALL = "kbs-call"
    SQL = "sql"
    POLICY = "policy"
    CERTIFICATE_CHAIN = "certificate-chain"
    COMPARISON = "comparison"
    OBJECTS = "objects"
    MEMORY_ENCRYPTION = "memory-encryption"
    PDH = "pdh"
    CHALLENGE_RESPONSE = "challenge-response"


# What verdicts are computed again from (docs/certification.md); the others are what the system said.
SHOWN: Final = frozenset(
    {
        Fact.POD,
        Fact.LAUNCH,
        Fact.KATA_CONFIGURATION,
        Fact.KBS_CALL,
        Fact.SQL,
        Fact.POLICY,
        Fact.CERTIFICATE_CHAIN,
        Fact.COMPARISON,
        Fact.OBJECTS,
        Fact.MEMORY_ENCRYPTION,
        Fact.PDH,
        Fact.CHALLENGE_RESPONSE,
    }
)
