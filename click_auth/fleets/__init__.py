"""One account on many machines: stores made of a place that they share."""
