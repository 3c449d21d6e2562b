"""What stands between encoder and decoder, one a file."""
