"""Processes that read real cameras and teleoperation devices."""
