"""The robot PC: control, actor, teleop, link, the outbox, and the table of processes that runs them."""
