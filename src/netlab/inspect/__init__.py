"""What a network is made of: its levels, what they cost, and how they are joined.

Imports `tasks` and what stands below it.
"""
