"""Metrics from data-set-wide counts."""
