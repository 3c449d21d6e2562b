"""Pictures to a latent and back under a label: the task, its pass, scores, report and page.

Imports `tasks` and what stands below it.
"""
