"""How long a thing that failed waits before it is tried again."""

import random
from collections.abc import Sequence
from datetime import timedelta


def wait_after(failures: int, steps: Sequence[int]) -> timedelta | None:
    """The wait after so many `failures`, a fifth more or less so that what failed together does not return together.

    `steps` are seconds. None when they are used up: then it is for a person.
    """
    if failures > len(steps):
        return None
    return timedelta(seconds=steps[failures - 1] * random.uniform(0.8, 1.2))  # noqa: S311 (no secret)
