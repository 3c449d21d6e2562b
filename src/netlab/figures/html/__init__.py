"""Pages that open anywhere: one file, no network; numbers and arrays in, HTML text out.

Imports `figures` and what stands below it.
"""
