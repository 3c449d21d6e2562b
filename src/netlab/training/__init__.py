"""Training: from a config to a run folder, and on from where it was stopped.

Imports `scoring` and what stands below it.
"""
