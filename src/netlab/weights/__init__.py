"""Weights files: header, tensors, and the bundled ones; knows files, but no networks.

Imports `registry`, `config`, `files` and what stands below them.
"""
