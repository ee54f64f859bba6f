"""The root of every problem that a person can do something about."""


class PlainError(Exception):
    """Its message is one plain sentence: what, where, what is allowed, what to do.

    The command line prints it without a traceback and ends with `exit_code`.
    """

    exit_code = 2
