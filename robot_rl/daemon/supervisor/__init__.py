"""Starts the process table, watches it, ends it."""
