"""Weights files: header, tensors, and the bundled ones; knows files, but no networks.

Imports `models` and what stands below it.
"""
