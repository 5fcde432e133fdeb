"""Exchange money of one currency for money of another."""

from datetime import date, datetime

from django.db import connection

from ledger.exchange import convert
from ledger.facts import Entry, PostedTransaction
from ledger.money import Money
from ledger.services.post import post


def exchange(
    *,
    business_key: str,
    reference: str,
    description: str,
    given: Entry,
    taken: Entry,
    booked_at: datetime,
    happened_at: datetime | None = None,
    on: date | None = None,
) -> PostedTransaction:
    """This will post that `given` left its account and `taken` came into its own, each currency through `fx`.

    Both amounts are positive minor units. `fx` takes what was given at the rate of `booked_at`, when it came into
    the books; what was taken above or below that is the realised gain or loss, in `fx_gains`. Needs an open
    transaction. Raises `UnknownRate` and whatever `post` raises.
    """
    assert connection.in_atomic_block, "exchange() belongs to the transaction of what it posts"
    assert min(given.amount.minor, taken.amount.minor) > 0, "both sides of an exchange are positive"
    booked = convert(given.amount, taken.amount.currency, booked_at)
    gain = taken.amount - booked
    entries = [
        Entry(given.account, -given.amount, given.item),
        Entry("fx", given.amount),
        taken,
        Entry("fx", -booked),
        Entry("fx_gains", -gain),
    ]
    return post(
        business_key=business_key,
        reference=reference,
        description=description,
        entries=[entry for entry in entries if entry.amount != Money(0, entry.amount.currency)],
        happened_at=happened_at,
        on=on,
    )
