"""The locks that keep processes apart."""
