"""Our books beside the sandbox's true money: balances to the minor unit, and the profit of the month, counted again."""

from collections import Counter
from typing import Any

from bench.month.world import Month

_BALANCES = """SELECT a.name, a.currency, sum(e.amount)::bigint FROM ledger_entry e
    JOIN ledger_account a ON a.id = e.account_id GROUP BY 1, 2"""
_SHIPPED = """SELECT s.id, o.subtotal, o.discount, o.tax, o.tax_included, o.shipping, o.payable,
        sum(sl.quantity) = (SELECT sum(quantity) FROM checkout_orderline WHERE order_id = o.id),
        s.subtotal, s.discount, s.tax, s.tax_included, s.shipping
    FROM checkout_shipment s JOIN checkout_order o ON o.id = s.order_id
    JOIN checkout_shipmentline sl ON sl.shipment_id = s.id
    WHERE s.sent_at IS NOT NULL GROUP BY s.id, o.id"""
_RETURNED = """SELECT returned_after_shipping, payable, tax + tax_included FROM checkout_order
    WHERE returned_after_shipping > 0"""
CHANNELS = ("stripe", "alipay", "wechat", "unionpay", "ecny", "bank")


def balances(month: Month) -> Counter[str]:
    found: Counter[str] = Counter()
    for name, _, minor in month.rows(_BALANCES):
        found["bank" if name.startswith("bank:") else name] += minor
    return found


def owed(month: Month) -> dict[str, int]:
    """What each channel still holds: all that moved there after fees, less what it paid out."""
    held: Counter[str] = Counter()
    for one in month.truth("movements"):
        held[one["channel"]] += one["amount"] - one["fee"]
    for one in month.truth("payouts"):
        held[one["channel"]] -= one["amount"]
    return {channel: held[channel] for channel in CHANNELS if channel != "bank"}


def at_bank(month: Month) -> int:
    return sum(line["amount"] for line in month.truth("bank"))


def compared(month: Month) -> list[str]:
    """Each account that is not as the world is."""
    ours, wrong = balances(month), []
    truth = {f"receivable:{channel}": minor for channel, minor in owed(month).items()}
    truth |= {f"in_transit:{channel}": 0 for channel in CHANNELS if channel != "bank"}
    # All is over: transfers are at the bank, disputes decided, and nothing was given up or left unexplained.
    over = ("receivable:bank", "disputed:stripe", "suspense", "write_offs")
    truth |= {"bank": at_bank(month), **dict.fromkeys(over, 0)}
    for account, minor in truth.items():
        if ours[account] != minor:
            wrong.append(f"{account} is {ours[account]}, in truth {minor}")
    if total := sum(ours.values()):
        wrong.append(f"the trial balance is {total}")
    return wrong


def profit_by_truth(month: Month) -> Counter[str]:
    """Income below zero, expense above, as in the ledger: from the world's movements and the orders' own prices."""
    made: Counter[str] = Counter()
    for row in month.rows(_SHIPPED):
        # A parcel with the whole order is the order's own prices; of a part, its share of them.
        prices = row[1:6] if row[7] else row[8:13]
        subtotal, discount, _, included, shipping = prices
        made["sales"] -= subtotal - included + shipping
        made["discounts"] += discount
    for returned, payable, taxes in month.rows(_RETURNED):
        made["refunds"] += returned - _share(returned, payable, taxes)
    for one in month.truth("movements"):
        _count(made, one)
    return Counter({name: minor for name, minor in made.items() if minor})


def _share(part: int, whole: int, taxes: int) -> int:
    """The tax in a part of what was paid, in whole fen."""
    return part * taxes // whole


def _count(made: Counter[str], one: dict[str, Any]) -> None:
    if one["kind"] == "dispute":
        made["dispute_losses"] -= one["amount"]
        made["dispute_fees"] += one["fee"]
    elif one["kind"] == "dispute_won":
        made["dispute_losses"] -= one["amount"]
    else:
        made[f"channel_fees:{one['channel']}"] += one["fee"]


def profit_by_ledger(month: Month) -> Counter[str]:
    kinds = ("sales", "discounts", "refunds", "channel_fees:", "dispute_losses", "dispute_fees")
    return Counter(
        {name: minor for name, minor in balances(month).items() if name.startswith(kinds) and minor}
    )
