"""One account on many machines: its record and its tokens in Redis (extra `redis`)."""
