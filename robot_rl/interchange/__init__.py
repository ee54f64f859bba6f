"""Recorded episodes in other people's formats: written by an export, read by an import."""
