"""People, machines and what they may do: users, sessions, tokens, and the rights of roles."""
