"""Learning-rate schedules, one a file: pure functions of the step.

Imports `contracts` and what stands below it; never a sibling.
"""
