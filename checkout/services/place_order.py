"""Place an order."""

from collections.abc import Sequence
from dataclasses import dataclass

from checkout.facts import Address, Client, Item, Viewer
from checkout.selectors import OrderView


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacedOrder:
    order: OrderView
    access_token: str  # shown once; empty for a signed-in customer


def place_order(
    *,
    quote: str,
    items: Sequence[Item],
    address: Address,
    email: str,
    viewer: Viewer,
    client: Client,
    locale: str,
) -> PlacedOrder:
    """This will place the order that the quote was made for and hold its stock until it expires.

    Raises `QuoteTampered`, `QuoteExpired`, `QuoteReplayed`, `QuoteStale`, `OutOfStock`, `PurchaseLimitExceeded`,
    `OrderRejected` (the rejected order is kept), `EmailInvalid` and all that `preview` raises.
    Own transaction; locks the stock rows in order, late.
    """
    raise NotImplementedError
