"""Faults: ways to break a simulated lab on purpose, which a suite for such labs must notice.

A fault is a cause. It acts on what the lab consists of (files, processes, rows, objects, a component's
answers), and never on who looks at it. Components know nothing of faults: where the lab is wired, an act is a
step of its start, and a stand-in runs in a component's place, made of the component's own parts and what it
does otherwise.

To add one, write an entry in a module of `simlab.faults.catalogue`; docs/faults.md says how.
"""
