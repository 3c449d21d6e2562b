"""Normalisation layers, one a file.

Imports `contracts` and what stands below it; never a sibling.
"""
