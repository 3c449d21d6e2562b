"""Losses, one a file: logits and target to a scalar.

Imports `layers`, `metrics`, `contracts` and what stands below them; never a sibling.
"""
