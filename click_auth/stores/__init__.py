"""Where credentials live: a record file for the facts of an account, a vault for its secrets."""
