from django.db import connection

from checkout.models import Order
from checkout.selectors.shipments import returned_of_shipped
from checkout.sharing import tax_of
from ledger.money import Money
from ledger.services.post import Entry, post


def book_returns(*, order: Order, key: str) -> None:
    """This will book as returned sales what was refunded of goods that had left; `key` names the occasion.

    A refund is booked against what was prepaid; it is for the part of the order that has not left, as long as that
    covers it. Beyond it, the sale itself shrinks, and its tax with it. An operation; the order must be locked.
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
    post(
        business_key=key,
        reference=order.public_id,
        description="Refunded after shipping" if after > before else "Refund after shipping came back",
        entries=[Entry(account, Money(minor, order.currency)) for account, minor in amounts.items() if minor],
    )
    order.returned_after_shipping = after
    order.save(update_fields=["returned_after_shipping"])
