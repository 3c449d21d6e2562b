"""Ways in which a label enters encoder and decoder, one a file.

Imports `layers`, `contracts` and what stands below them.
"""
