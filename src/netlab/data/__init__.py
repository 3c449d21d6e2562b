"""Data sets, one a file; `readers` has what they share.

Imports `layers`, `contracts` and what stands below them.
"""
