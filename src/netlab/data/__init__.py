"""Data sets, one a file; each gives arrays of uint8 pictures and targets."""
