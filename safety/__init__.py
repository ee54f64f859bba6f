"""Pure safety decisions: what may move the arm, how far, how fast and how hard.

Nothing here does input or output, reads a clock or logs; time and measurements are passed in.
Import from the modules: this package loads none of them, so that `safety.vocabulary` stays light.
"""
