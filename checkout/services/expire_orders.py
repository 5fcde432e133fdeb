"""Cancel orders whose time is over."""

from datetime import datetime


def expire_orders(*, now: datetime, limit: int = 100) -> int:
    """This will cancel at most `limit` unpaid orders past their time, as `cancel_order` does; returns how many.

    An order whose payment cannot be closed now is left for a later run. Several workers may run it at once.
    """
    raise NotImplementedError
