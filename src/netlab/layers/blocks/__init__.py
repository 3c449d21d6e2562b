"""Blocks of convolutions, one a file: the layers of one level of a network."""
