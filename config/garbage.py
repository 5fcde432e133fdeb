"""How often Python looks for cycles of garbage."""

import gc


def collect_rarely() -> None:
    """Before a process takes up work: what is there by now stays, and is not looked through again.

    A request makes thousands of objects and hardly a cycle; by default it is interrupted ten times to look for some,
    and a batch by looks through the whole program.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
