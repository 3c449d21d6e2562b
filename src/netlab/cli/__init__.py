"""The command line: the only layer that prints, reads flags and sets exit codes."""
