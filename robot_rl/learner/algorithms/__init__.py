"""Learning algorithms, one file each, read from top to bottom (robot_rl.learner.algorithm)."""
