"""One module for each command: parse, make one call on the core, print."""
