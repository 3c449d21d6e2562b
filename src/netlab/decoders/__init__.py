"""Decoders, one a file; the contract is in _contract.py."""
