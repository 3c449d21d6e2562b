"""Terms of a conditional VAE's loss, one a file: a finished pass to nats.

Imports `layers`, `metrics`, `contracts` and what stands below them; never a sibling.
"""
