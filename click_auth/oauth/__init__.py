"""The OAuth 2 client: facts about a server, and the grants asked of it."""
