from django.db import connection

from checkout.models import Order
from checkout.selectors.shipments import returned_of_shipped
from checkout.sharing import tax_of
from ledger.money import Money
from ledger.services.post import Entry, post


def book_returns(*, order: Order) -> None:
    """This will book as returned sales what was refunded of goods that had left.

    A refund is booked against what was prepaid; it is for the part of the order that has not left, as long as that
    covers it. Beyond it, the sale itself shrinks, and its tax with it. A refund may come back and go out again: what
    was booked so far is known by its sum, not by who asked. An operation; the order must be locked.
    """
    assert connection.in_atomic_block, "book_returns() is an operation"
    before, after = order.returned_after_shipping, returned_of_shipped(order)
    if before == after:
        return
    whole, taxes = order.payable, order.tax + order.tax_included
    tax = tax_of(after, whole=whole, tax=taxes) - tax_of(before, whole=whole, tax=taxes)
    amounts = {
        "refunds": after - before - tax,
        f"tax_payable:{order.country}": tax,
        "customer_prepayments": before - after,
    }
    order.returned_after_shipping, order.returns_booked = after, order.returns_booked + 1
    order.save(update_fields=["returned_after_shipping", "returns_booked"])
    post(
        business_key=f"{order.public_id}:returned:{order.returns_booked}",
        reference=order.public_id,
        description="Refunded after shipping" if after > before else "Refund after shipping came back",
        entries=[Entry(account, Money(minor, order.currency)) for account, minor in amounts.items() if minor],
    )
