"""Pictures out of numbers and arrays; nothing here computes a result."""
