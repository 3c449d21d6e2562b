"""Layers and batch operations that several components share.

Imports `contracts` and what stands below it.
"""
