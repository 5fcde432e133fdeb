"""How our identifiers are called at UnionPay: an `orderId` of letters and digits, and the `txnTime` that goes with it.

UnionPay knows an order by `orderId` and `txnTime` together, and wants both again in every question. Both follow
from our identifier alone: the number loses its underscore, and the time is the one inside its UUIDv7. So nothing
has to be stored to ask again, and the same movement sent twice is one order there.

The completion and the undoing of a hold bear names of their own that follow from the payment's attempt, with its
`txnTime`: a refund must be able to find the completion, and there is at most one of each.
"""

from datetime import UTC, date, datetime, timedelta, timezone
from typing import Final

from ledger.identifiers import MalformedIdentifier, decode

BEIJING: Final = timezone(timedelta(hours=8))
COMPLETION: Final = "cap"
UNDOING: Final = "und"
_BODY: Final = 26
_TIME_FORMAT: Final = "%Y%m%d%H%M%S"
# UnionPay's own day begins at 23:00 of the day before.
_DAY_BEGINS_EARLIER: Final = timedelta(hours=1)


def order_id(reference: str) -> str:
    """`att_01…` → `att01…`."""
    return reference.replace("_", "", 1)


def reference_of(order: str) -> str:
    """`att01…` → `att_01…`; what is no name of ours comes back unchanged, and no row of ours has it."""
    return f"{order[:-_BODY]}_{order[-_BODY:]}" if len(order) > _BODY else order


def beside(prefix: str, reference: str) -> str:
    """The name of the completion or the undoing of the hold that `reference` began."""
    return prefix + order_id(reference)[-_BODY:]


def moment_of(reference: str) -> datetime:
    """When the identifier was made. Raises `MalformedIdentifier`."""
    milliseconds = decode(reference.partition("_")[0], reference).int >> 80
    return datetime.fromtimestamp(milliseconds // 1000, UTC)


def txn_time(reference: str) -> str:
    return written_time(moment_of(reference))


def written_time(moment: datetime) -> str:
    """`moment` as UnionPay writes it: Beijing's time, whole seconds."""
    return moment.astimezone(BEIJING).strftime(_TIME_FORMAT)


def read_time(text: str) -> datetime | None:
    """The moment that UnionPay wrote, or None when it wrote none that can be read."""
    try:
        return datetime.strptime(text, _TIME_FORMAT).replace(tzinfo=BEIJING)
    except ValueError:
        return None


def read_trace_time(text: str, txn_time: str) -> datetime | None:
    """The moment that UnionPay wrote without a year ("MMDDhhmmss"): the one nearest to the order's."""
    ordered = read_time(txn_time)
    if ordered is None:
        return None
    read = (read_time(f"{year}{text}") for year in (ordered.year - 1, ordered.year, ordered.year + 1))
    return min((one for one in read if one), key=lambda one: abs(one - ordered), default=None)


def same_day(first: str, second: str) -> bool:
    """Whether both identifiers were made on one day of UnionPay's, which is when a payment can be undone."""
    try:
        return day_of(moment_of(first)) == day_of(moment_of(second))
    except MalformedIdentifier:
        return False


def day_of(moment: datetime) -> date:
    """UnionPay's own day at this moment."""
    return (moment.astimezone(BEIJING) + _DAY_BEGINS_EARLIER).date()
