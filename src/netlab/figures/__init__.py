"""Pictures and pages out of numbers and arrays; nothing here computes a result.

Imports `runs`, `weights` and what stands below them.
"""
