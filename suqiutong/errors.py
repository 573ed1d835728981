"""What stops a command, in one line."""


class CommandError(Exception):
    """The command cannot go on; its text is the one line that the person at the terminal reads."""
