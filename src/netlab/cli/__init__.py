"""The command line, a file for each command; it alone prints, reads flags and sets exit codes.

Imports everything.
"""
