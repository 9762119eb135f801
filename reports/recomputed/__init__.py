"""Verdicts computed again from the evidence, step by step, by who trusts neither lab nor vendor.

What a step saw is evidence of a kind (`fact`), and what it concludes follows from that here, without the
step's own code and without a lab. Steps that are not in the tables rest on the signature alone.
"""

from reports.recomputed.verdicts import Recomputation, recompute

__all__ = ["Recomputation", "recompute"]
