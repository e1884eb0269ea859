"""Login: the flow from start to end, the browser, the loopback redirect, and what is pasted."""
