"""Decoders, one a file: the coarsest map back to the finest size.

Imports `layers`, `contracts` and what stands below them.
"""
