"""The story of one login: its doors (loopback redirect, browser, paste) and how it is told."""
