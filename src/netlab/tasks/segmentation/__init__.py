"""A class for every pixel: the task, its scores, its report and its page.

Imports `tasks` and what stands below it.
"""
