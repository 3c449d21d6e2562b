"""Methods side by side: which runs they are, their scores, figures and page.

Imports everything but the command line.
"""
