"""Encoders, one a file: a picture to maps, finest first.

Imports `layers`, `contracts` and what stands below them.
"""
