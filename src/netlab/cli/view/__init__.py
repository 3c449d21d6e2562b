"""What commands draw on a terminal: live training, plots, previews, tables.

Imports everything but the commands.
"""
