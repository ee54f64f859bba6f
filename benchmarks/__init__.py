"""What `robot-rl bench NAME` runs: one file each, with one function, `run(quick=…)`."""
