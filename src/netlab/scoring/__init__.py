"""Scoring: weights on a split of the data, beside trivial predictors and under a judge.

Imports `predict`, `inspect` and what stands below them.
"""
