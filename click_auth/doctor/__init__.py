"""Everything that logging in depends on, looked at and left as it is."""
