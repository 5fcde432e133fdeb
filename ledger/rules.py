"""The chart of accounts: which names exist, and what kind of account each is. Pure."""

import re
from enum import StrEnum

from ledger.errors import UnknownAccount


class Kind(StrEnum):
    ASSET = "asset"
    LIABILITY = "liability"
    INCOME = "income"
    EXPENSE = "expense"


# A name that ends in ":" needs a part after it: the channel, the bank account, the region or the merchant.
CHART: dict[str, Kind] = {
    "receivable:": Kind.ASSET,
    "disputed:": Kind.ASSET,
    "bank:": Kind.ASSET,
    "customer_prepayments": Kind.LIABILITY,
    "tax_payable:": Kind.LIABILITY,
    "points_liability": Kind.LIABILITY,
    "suspense": Kind.LIABILITY,
    "merchant_payable:": Kind.LIABILITY,
    "sales": Kind.INCOME,
    "commission": Kind.INCOME,
    "fx": Kind.INCOME,
    "discounts": Kind.EXPENSE,
    "refunds": Kind.EXPENSE,
    "channel_fees:": Kind.EXPENSE,
    "dispute_losses": Kind.EXPENSE,
    "dispute_fees": Kind.EXPENSE,
    "write_offs": Kind.EXPENSE,
}
_PART = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


def kind_of(account: str) -> Kind:
    """The kind of the account called `account`. Raises `UnknownAccount`."""
    head, colon, part = account.partition(":")
    kind = CHART.get(head + colon)
    if kind is None or (colon and not _PART.fullmatch(part)):
        raise UnknownAccount(f"{account[:80]!r} is not in the chart of accounts", param="account")
    return kind
