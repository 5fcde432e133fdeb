"""What a part of an order costs, so that all its parts together cost what the order does. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class LinePart:
    """`sent` of the line's `quantity` units left before; `now` leave. Amounts are the whole line's, minor units."""

    quantity: int
    sent: int
    now: int
    unit_price: int
    discount: int
    tax: int
    tax_included: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """Minor units; `tax_included` is inside the subtotal already."""

    subtotal: int
    discount: int
    tax: int
    tax_included: int
    shipping: int

    @property
    def amount(self) -> int:
        return self.subtotal - self.discount + self.tax + self.shipping


def share(parts: Iterable[LinePart], *, shipping: int) -> Share:
    """The sum of `parts`; `shipping` is what this parcel bears of it.

    A line's discount and tax are dealt out by how many of its units have left, so that the last takes the rest.
    """
    subtotal = discount = tax = included = 0
    for part in parts:
        subtotal += part.unit_price * part.now
        discount += _dealt(part.discount, part)
        tax += _dealt(part.tax, part)
        included += _dealt(part.tax_included, part)
    return Share(subtotal=subtotal, discount=discount, tax=tax, tax_included=included, shipping=shipping)


def _dealt(whole: int, part: LinePart) -> int:
    after = whole * (part.sent + part.now) // part.quantity
    return after - whole * part.sent // part.quantity


def tax_of(part: int, *, whole: int, tax: int) -> int:
    """How much of the first `part` of `whole` is tax, when `tax` of the whole is."""
    return part * tax // whole if whole else 0
