"""Observation, policy, episode machine and recording."""
