"""What a batch means: each task builds networks and losses from a config, and scores them.

Imports `figures` and what stands below it.
"""
