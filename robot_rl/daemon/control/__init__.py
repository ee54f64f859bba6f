"""Real time, no network: who may move the robot, where to, and what became of it."""
