"""What the robot recorded and the server does not have yet: one SQLite file."""
