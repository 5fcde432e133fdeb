"""The signed promise of a price: `v1.<key id>.<terms>.<signature>`. Pure: keys and clock are handed in.

The signature is HMAC-SHA256 over everything before it. A key is retired by signing with another one and dropping
the old one after a quote's life.
"""

import base64
import binascii
import hashlib
import hmac
import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta

from checkout.errors import QuoteExpired, QuoteStale, QuoteTampered
from checkout.facts import Item, PriceBreakdown

LIFE = timedelta(minutes=15)
_VERSION = "v1"
_MAX_LENGTH = 2000
_AGAIN = "Look at the price again and order with the new quote."


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """`current` names the key that signs; all of `secrets` verify."""

    current: str
    secrets: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What was promised. `cart` and `price` are digests; `expires` is in seconds since 1970."""

    id: str
    cart: str
    region: str
    price: str
    payable: int
    currency: str
    rules: str
    expires: int
    coupon: str = ""

    @property
    def expires_at(self) -> datetime:
        return datetime.fromtimestamp(self.expires, UTC)


def sign(
    *, items: Sequence[Item], breakdown: PriceBreakdown, now: datetime, keys: Keys, coupon: str = ""
) -> tuple[str, Terms]:
    """A quote for `items` at the price of `breakdown`, good for 15 minutes and one order."""
    terms = Terms(
        id=secrets.token_hex(16),
        cart=_cart_digest(items),
        region=breakdown.region,
        price=_price_digest(breakdown),
        payable=breakdown.payable.minor,
        currency=breakdown.currency,
        rules=breakdown.rules_version,
        expires=int((now + LIFE).timestamp()),
        coupon=coupon,
    )
    told = {name: value for name, value in asdict(terms).items() if name != "coupon" or value}
    text = json.dumps(told, separators=(",", ":"), sort_keys=True)
    signed = f"{_VERSION}.{keys.current}.{_encode(text.encode())}"
    return f"{signed}.{_signature(signed, keys.secrets[keys.current])}", terms


def verify(quote: str, *, items: Sequence[Item], now: datetime, keys: Keys) -> Terms:
    """The terms of a quote that is ours, is for `items` and still holds.

    Raises `QuoteTampered`, `QuoteExpired`. Whether it was used before is for the database to say, whether the price
    is still the same for `require_same_price`.
    """
    terms = _authentic(quote, keys)
    if not hmac.compare_digest(terms.cart, _cart_digest(items)):
        raise QuoteTampered(f"This quote is for another cart. {_AGAIN}", param="quote")
    if now.timestamp() >= terms.expires:
        raise QuoteExpired(f"This price was good until {terms.expires_at:%H:%M} UTC. {_AGAIN}", param="quote")
    return terms


def require_same_price(terms: Terms, breakdown: PriceBreakdown) -> None:
    """Raises `QuoteStale` when the rules, the region, or today's price of any line is not what was promised."""
    if terms.rules != breakdown.rules_version:
        raise QuoteStale(f"Our prices have changed. {_AGAIN}", param="quote")
    if terms.region != breakdown.region:
        raise QuoteStale(f"This price was for delivery to {terms.region}. {_AGAIN}", param="address.country")
    if terms.price != _price_digest(breakdown):
        raise QuoteStale(f"A price in your cart has changed. {_AGAIN}", param="quote")


def _authentic(quote: str, keys: Keys) -> Terms:
    parts = quote.split(".") if len(quote) <= _MAX_LENGTH and quote.isascii() else []
    secret = keys.secrets.get(parts[1]) if len(parts) == 4 and parts[0] == _VERSION else None
    if secret is None or not hmac.compare_digest(_signature(".".join(parts[:3]), secret), parts[3]):
        raise QuoteTampered(f"This is not a quote of ours. {_AGAIN}", param="quote")
    try:
        return Terms(**json.loads(_decode(parts[2])))
    except (ValueError, TypeError, binascii.Error) as damage:
        raise QuoteTampered(f"This is not a quote of ours. {_AGAIN}", param="quote") from damage


def _signature(signed: str, secret: str) -> str:
    return _encode(hmac.digest(secret.encode(), signed.encode(), "sha256"))


def _cart_digest(items: Sequence[Item]) -> str:
    return _digest([[item.sku, item.quantity] for item in sorted(items, key=lambda item: item.sku)])


def _price_digest(breakdown: PriceBreakdown) -> str:
    return _digest(asdict(breakdown))


def _digest(value: object) -> str:
    text = json.dumps(value, separators=(",", ":"), sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
