"""Ways in which a label enters encoder and decoder, one a file; the contract is in _contract.py."""
