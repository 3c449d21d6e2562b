"""Architectures, one a file: whole networks from built components.

Imports the components of networks and what stands below them.
"""
