"""Loss terms, one a file."""
