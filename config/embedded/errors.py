"""Why `up` can not go on, in one line for the person at the terminal."""


class CannotStart(Exception):
    """The message says what is wrong and what to do; it is printed as it is, and the exit code is 1."""


class Interrupted(Exception):
    """The person asked to stop while parts were still starting."""
