"""Label swaps: pictures decoded under labels that they do not have.

Imports `scoring` and what stands below it.
"""
