"""Blocks of convolutions, one a file: the layers of one level of a network.

Imports `contracts` and what stands below it; never a sibling.
"""
