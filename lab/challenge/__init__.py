"""Proof of hardware: a launch session whose integrity key only its maker and one platform's firmware hold.

A certifier makes the session for a platform's certificate chain, and keeps the key. A guest is launched with
it, and the firmware's measurement of that launch is the answer: nobody else could have computed it.
"""
