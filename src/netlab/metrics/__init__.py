"""Measures: counts and arrays in, numbers out.

Imports `contracts` and what stands below it.
"""
