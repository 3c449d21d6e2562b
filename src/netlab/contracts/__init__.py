"""What one implements to extend netlab: a short file for each contract, all of it public.

Imports components, settings and what stands below them.
"""
