from collections import Counter

from django.db import connection

from checkout.models import Order
from checkout.rules import shares
from checkout.selectors.shipments import named_by_refunds, returned_of_shipped
from checkout.sharing import tax_of
from ledger.money import Money
from ledger.selectors import entries_by_key
from ledger.services.post import Entry, post


def book_returns(*, order: Order) -> None:
    """This will book as returned sales what was refunded of goods that had left, by article.

    A refund is booked against what was prepaid; it is for the part of the order that has not left, as long as that
    covers it. Beyond it, the sale itself shrinks, and its tax with it. A refund may come back and go out again: what
    was booked so far is known by its sum, not by who asked. An operation; the order must be locked.
    """
    assert connection.in_atomic_block, "book_returns() is an operation"
    before, after = order.returned_after_shipping, returned_of_shipped(order)
    if before == after:
        return
    whole, taxes = order.payable, order.tax + order.tax_included
    tax_before, tax = (tax_of(part, whole=whole, tax=taxes) for part in (before, after))
    items = _by_item(order, after, after - tax)
    amounts = {
        f"tax_payable:{order.country}": tax - tax_before,
        "customer_prepayments": before - after,
    }
    order.returned_after_shipping, order.returns_booked = after, order.returns_booked + 1
    order.save(update_fields=["returned_after_shipping", "returns_booked"])
    entries = [Entry("refunds", Money(minor, order.currency), item=sku) for sku, minor in items.items()]
    entries += [Entry(account, Money(minor, order.currency)) for account, minor in amounts.items()]
    post(
        business_key=_key(order, order.returns_booked),
        reference=order.public_id,
        description="Refunded after shipping" if after > before else "Refund after shipping came back",
        entries=[entry for entry in entries if entry.amount.minor],
    )


def _by_item(order: Order, returned: int, net: int) -> dict[str, int]:
    """What is still to be booked for each article, so that all bookings of returns make `net`."""
    named = named_by_refunds(order, returned)
    left = Counter(dict(zip(named, shares(net, list(named.values())), strict=True)))
    keys = [_key(order, number + 1) for number in range(order.returns_booked)]
    for lines in entries_by_key(keys).values():
        left.subtract({line.item: line.amount.minor for line in lines if line.account == "refunds"})
    return dict(left)


def _key(order: Order, number: int) -> str:
    return f"{order.public_id}:returned:{number}"
