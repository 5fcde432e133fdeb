"""What a browser's session knows: the cart, the orders a guest may open, and the quote on offer."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import get_language

from checkout import conduct
from checkout.conduct import Conduct
from checkout.errors import QuantityInvalid
from checkout.facts import Client, Item, Viewer
from checkout.services.place_order import PlacedOrder
from checkout.services.preview import Preview, preview

_CART = "cart"  # article code → quantity
_TOKENS = "order_tokens"
_PLACED = "placed_orders"  # digest of a quote → the order placed with it
_OFFER = "offer"
_LAST_ORDER = "last_order"
_COUPON = "coupon"
_CONDUCT = (
    "conduct"  # when the form was shown, and how often it was changed, until the order after next begins
)
_REMEMBERED_ORDERS = 40
# An offer about to lapse is not shown again: the customer needs time to fill in the form.
_OFFER_MARGIN = timedelta(minutes=5)


def viewer_of(request: HttpRequest) -> Viewer:
    user_id = request.user.pk if request.user.is_authenticated else None
    return Viewer(user_id=user_id, order_tokens=frozenset(request.session.get(_TOKENS, ())))


def client_of(request: HttpRequest) -> Client:
    agent = request.headers.get("User-Agent", "")
    return Client(
        ip=request.META.get("REMOTE_ADDR", ""),
        device_id=getattr(request, "device_id", ""),
        device_kind="phone" if "Mobi" in agent else "desktop",
        language=language(),
        session=request.session.session_key or "",
        label=conduct.label(agent),
        conduct=conduct_of(request),
    )


def conduct_of(request: HttpRequest) -> Conduct:
    """How the form that is being sent was filled in."""
    kept: dict[str, Any] = request.session.get(_CONDUCT, {})
    shown_at = kept.get("shown_at")
    return conduct.read(
        request.POST.get("conduct", ""),
        shown_for=None if shown_at is None else max(0, int(timezone.now().timestamp() - shown_at)),
        address_changes=kept.get("address_changes", 0),
        coupon_attempts=kept.get("coupon_attempts", 0),
    )


def note_shown(request: HttpRequest, *, first: bool = False) -> None:
    """The form goes out now; `first` for the one that begins an order."""
    kept: dict[str, Any] = request.session.get(_CONDUCT, {})
    if first and kept.get("placed"):
        kept = {}
    request.session[_CONDUCT] = {**kept, "shown_at": timezone.now().timestamp()}


def note_address(request: HttpRequest, part: str, text: str, *, begins: bool = False) -> None:
    """What the customer says of an address now: another answer than before counts as a change.

    `begins` sets what was there before the customer said anything.
    """
    kept: dict[str, Any] = request.session.get(_CONDUCT, {})
    mark = _digest("".join(text.casefold().split()))
    before = kept.get(part)
    if begins and before is not None:
        return
    changed = before is not None and before != mark
    changes = kept.get("address_changes", 0) + changed
    request.session[_CONDUCT] = {**kept, part: mark, "address_changes": changes}


def language() -> str:
    return get_language() or "en"


def is_htmx(request: HttpRequest) -> bool:
    return request.headers.get("HX-Request") == "true"


def cart_of(request: HttpRequest) -> tuple[Item, ...]:
    return tuple(Item(sku, quantity) for sku, quantity in request.session.get(_CART, {}).items())


def cart_count(request: HttpRequest) -> int:
    return sum(request.session.get(_CART, {}).values())


def put_in_cart(request: HttpRequest, sku: str, quantity: int, *, add: bool = False) -> None:
    """Set, or with `add` raise, the quantity of one article; zero removes it. Raises `QuantityInvalid`."""
    cart: dict[str, int] = dict(request.session.get(_CART, {}))
    wanted = quantity + (cart.get(sku, 0) if add else 0)
    if wanted == 0:
        cart.pop(sku, None)
    else:
        cart[sku] = Item(sku, wanted).quantity
    request.session[_CART] = cart


def coupon_of(request: HttpRequest) -> str:
    found: str = request.session.get(_COUPON, "")
    return found


def try_coupon(request: HttpRequest, code: str, region: str) -> None:
    """Keep the code for the order if it is good; counted either way. Raises what `preview` raises."""
    kept: dict[str, Any] = request.session.get(_CONDUCT, {})
    request.session[_CONDUCT] = {**kept, "coupon_attempts": kept.get("coupon_attempts", 0) + 1}
    preview(items=cart_of(request), region=region, viewer=viewer_of(request), coupon=code)
    request.session[_COUPON] = code


def drop_coupon(request: HttpRequest) -> None:
    request.session.pop(_COUPON, None)


def fill_cart(request: HttpRequest, items: Iterable[Item]) -> None:
    for item in items:
        try:
            put_in_cart(request, item.sku, item.quantity, add=True)
        except QuantityInvalid:
            continue  # as many as the cart may hold are in it already


def offer(request: HttpRequest, region: str) -> Preview:
    """Price the cart and quote it: the quote already shown as long as nothing changed.

    A second tab thus shows the same quote, which places one order at most. Raises what `preview` raises.
    """
    items, viewer = cart_of(request), viewer_of(request)
    fresh = preview(items=items, region=region, viewer=viewer, coupon=coupon_of(request))
    mark = _mark(fresh, items, viewer)
    kept: dict[str, Any] = request.session.get(_OFFER, {})
    if kept.get("mark") == mark:
        expires_at = datetime.fromisoformat(kept["expires_at"])
        if expires_at - timezone.now() > _OFFER_MARGIN:
            return replace(fresh, quote=kept["quote"], expires_at=expires_at)
    request.session[_OFFER] = {
        "mark": mark,
        "quote": fresh.quote,
        "expires_at": fresh.expires_at.isoformat(),
    }
    return fresh


def _mark(fresh: Preview, items: Iterable[Item], viewer: Viewer) -> list[Any]:
    breakdown = fresh.breakdown
    return [
        sorted([item.sku, item.quantity] for item in items),
        viewer.user_id,
        breakdown.region,
        breakdown.rules_version,
        breakdown.currency,
        breakdown.payable.minor,
    ]


def remember_order(request: HttpRequest, quote: str, placed: PlacedOrder) -> None:
    """Keep the guest's proof, empty the cart, save at once: the customer may be back before the provider answers."""
    session = request.session
    if placed.access_token:
        session[_TOKENS] = [*session.get(_TOKENS, ()), placed.access_token][-_REMEMBERED_ORDERS:]
    orders = {**session.get(_PLACED, {}), _digest(quote): placed.order.id}
    session[_PLACED] = dict(list(orders.items())[-_REMEMBERED_ORDERS:])
    session[_LAST_ORDER] = placed.order.id
    session.pop(_CART, None)
    session.pop(_OFFER, None)
    session.pop(_COUPON, None)
    session[_CONDUCT] = {**session.get(_CONDUCT, {}), "placed": True}
    session.save()


def order_placed_with(request: HttpRequest, quote: str) -> str:
    """The order that this browser already placed with `quote`, or an empty string."""
    found: str = request.session.get(_PLACED, {}).get(_digest(quote), "")
    return found


def last_order(request: HttpRequest) -> str:
    found: str = request.session.get(_LAST_ORDER, "")
    return found


def _digest(quote: str) -> str:
    return sha256(quote.encode()).hexdigest()[:32]
