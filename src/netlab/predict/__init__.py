"""Masks for pictures: inputs found, read, predicted and written side by side.

Imports `tasks` and what stands below it.
"""
