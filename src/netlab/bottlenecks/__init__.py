"""What stands between encoder and decoder, one a file.

Imports `layers`, `contracts` and what stands below them.
"""
