"""Settings of the learning algorithms, one file each (robot_rl.config.learner)."""
