"""Whole networks, put together from built parts."""
