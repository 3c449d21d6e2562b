"""A class for each picture: the task, its scores, its report and its page.

Imports `tasks` and what stands below it.
"""
