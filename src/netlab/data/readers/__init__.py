"""What data sets share: pictures, masks, splits, the cache of decoded arrays, downloads.

Imports `contracts` and what stands below it.
"""
