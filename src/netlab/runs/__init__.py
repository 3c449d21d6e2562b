"""Run folders: their files, what they are called, their summaries, their removal; no torch.

Imports `weights` and what stands below it.
"""
