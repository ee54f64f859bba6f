"""The robot PC: control, actor, teleop, link, the outbox, and the table that runs them."""
