"""What `robot-rl` can be asked to do, one file per group.

These modules are loaded for every call, `--help` included: at their top they import nothing but
typer, and whatever a command needs it imports when it runs.
"""
