"""The chart of accounts, and what makes a posting sound. Pure."""

import re
from collections.abc import Sequence
from enum import StrEnum
from functools import lru_cache

from ledger.errors import UnbalancedPosting, UnknownAccount
from ledger.facts import Entry


class Kind(StrEnum):
    ASSET = "asset"
    LIABILITY = "liability"
    INCOME = "income"
    EXPENSE = "expense"


# A name that ends in ":" needs a part after it: the channel, the bank account, the region or the merchant.
CHART: dict[str, Kind] = {
    "receivable:": Kind.ASSET,
    "disputed:": Kind.ASSET,
    "in_transit:": Kind.ASSET,
    "bank:": Kind.ASSET,
    "customer_prepayments": Kind.LIABILITY,
    "tax_payable:": Kind.LIABILITY,
    "points_liability": Kind.LIABILITY,
    "suspense": Kind.LIABILITY,
    "merchant_payable:": Kind.LIABILITY,
    "sales": Kind.INCOME,
    "commission": Kind.INCOME,
    "fx": Kind.ASSET,  # what was given in one currency for another: at the booked rates it adds up to nothing
    "fx_gains": Kind.INCOME,
    "discounts": Kind.EXPENSE,
    "refunds": Kind.EXPENSE,
    "channel_fees:": Kind.EXPENSE,
    "dispute_losses": Kind.EXPENSE,
    "dispute_fees": Kind.EXPENSE,
    "write_offs": Kind.EXPENSE,
}
_PART = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


@lru_cache(maxsize=4096)
def kind_of(account: str) -> Kind:
    """The kind of the account called `account`. Raises `UnknownAccount`."""
    head, colon, part = account.partition(":")
    kind = CHART.get(head + colon)
    if kind is None or (colon and not _PART.fullmatch(part)):
        raise UnknownAccount(f"{account[:80]!r} is not in the chart of accounts", param="account")
    return kind


def refuse_unsound(entries: Sequence[Entry]) -> None:
    """The database refuses the same at commit; here the message still reaches whoever made the mistake.

    Raises `UnbalancedPosting` and `UnknownAccount`.
    """
    if len(entries) < 2:
        raise UnbalancedPosting("a posting needs two entries or more", param="entries")
    sums: dict[str, int] = {}
    for entry in entries:
        money = entry.amount
        if money.minor == 0:
            raise UnbalancedPosting(f"leave out the entry of zero for {entry.account}", param="entries")
        sums[money.currency] = sums.get(money.currency, 0) + money.minor
        kind_of(entry.account)
    if any(sums.values()):
        unbalanced = {currency: total for currency, total in sums.items() if total}
        raise UnbalancedPosting(f"debits and credits differ by {unbalanced} minor units", param="entries")
