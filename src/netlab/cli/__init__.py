"""The command line, a file a command: alone in printing, reading flags and setting exit codes.

Imports everything.
"""
