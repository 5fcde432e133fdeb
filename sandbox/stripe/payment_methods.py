"""Cards as tokens. The number lives for one request: brand, last4, country and a fingerprint are kept."""

import hashlib
import hmac
import json
import secrets
import time

from sandbox.provider import World
from sandbox.stripe.cards import APPLE_PAY_NUMBER, SHORTCUTS, TEST_CARDS, TestCard, passes_luhn
from sandbox.stripe.errors import StripeError, card_error
from sandbox.stripe.forms import Params
from sandbox.stripe.gateway import Call
from sandbox.stripe.store import Object, add, load, save

_WALLETS = ("alipay", "wechat_pay")
_KINDS = ("card", *_WALLETS)


def create(call: Call) -> Object:
    """`POST /v1/payment_methods`: only the card field, with the publishable key, may send a number."""
    kind = call.params.choice("type", _KINDS, "card")
    card = call.params.table("card")
    billing = call.params.mapping("billing_details")
    metadata = call.params.metadata()
    call.params.text("payment_user_agent")
    if kind in _WALLETS:
        call.params.mapping(kind)
    call.params.finish()
    if kind in _WALLETS:
        return of_wallet(call.world, call.account.merchant, kind)
    token = card.text("token")
    if token:
        card.finish()
        return _of_token(call, token, billing, metadata)
    number, expiry = typed_card(call, card)
    return _tokenise(call.world, call.account.merchant, number, expiry, billing, metadata)


def create_token(call: Call) -> Object:
    """`POST /v1/tokens`, by the browser: a typed card, or what Apple Pay gave to the page (`pk_token`).

    The payload of Apple Pay is sealed for the provider; it is looked at for its shape and kept nowhere.
    """
    apple = call.params.text("pk_token")
    card = call.params.table("card")
    for name in ("pk_token_instrument_name", "pk_token_payment_network", "pk_token_transaction_id"):
        call.params.text(name)
    call.params.finish()
    if not apple:
        number, expiry = typed_card(call, card)
        method = _tokenise(call.world, call.account.merchant, number, expiry, {}, {})
    else:
        _check_apple(apple)
        expiry = (12, time.gmtime().tm_year + 4)
        method = _tokenise(call.world, call.account.merchant, APPLE_PAY_NUMBER, expiry, {}, {})
        _dress_as_apple_pay(call.world, method)
    token: Object = {
        "id": call.world.new_id("tok_"),
        "object": "token",
        "card": {"object": "card", "tokenization_method": "apple_pay" if apple else None, **method["card"]},
        "created": int(call.world.now()),
        "livemode": False,
        "type": "card",
        "used": False,
        "_method": method["id"],
    }
    return add(call.world, call.account.merchant, token)


def _check_apple(text: str) -> None:
    try:
        payload = json.loads(text)
        complete = all(payload[name] for name in ("version", "data", "signature", "header"))
    except (ValueError, KeyError, TypeError):
        complete = False
    if not complete:
        raise StripeError("The Apple Pay payload can not be read.", code="invalid_pk_token", param="pk_token")


def _of_token(call: Call, key: str, billing: Object, metadata: Object) -> Object:
    token = load(call.world, call.account.merchant, "token", key, "card[token]")
    if token["used"]:
        message = f"You cannot use a Stripe token more than once: {key}."
        raise StripeError(message, code="token_already_used", param="card[token]")
    token["used"] = True
    save(call.world, token)
    method = load(call.world, call.account.merchant, "payment_method", token["_method"])
    method["billing_details"].update(billing)
    method["metadata"] = metadata
    save(call.world, method)
    return method


def _dress_as_apple_pay(world: World, method: Object) -> Object:
    """The device's number stands for the card; the issuer trusts its cryptogram and asks nothing more."""
    last4 = method["card"]["last4"]
    method["card"]["wallet"] = {"type": "apple_pay", "apple_pay": {}, "dynamic_last4": last4}
    method["_three_d_secure"] = "unsupported"
    save(world, method)
    return method


def of_wallet(world: World, merchant: str, kind: str) -> Object:
    """A wallet as a payment method: who pays is known only after they did."""
    method: Object = {
        "id": world.new_id("pm_"),
        "object": "payment_method",
        "allow_redisplay": "unspecified",
        "billing_details": {"address": None, "email": None, "name": None, "phone": None},
        "created": int(world.now()),
        "customer": None,
        "livemode": False,
        "metadata": {},
        "type": kind,
        kind: {},
        "_used": False,
        "_decline": "",
    }
    return add(world, merchant, method)


def typed_card(call: Call, card: Params) -> tuple[str, tuple[int, int]]:
    """Number and expiry of a card that the customer typed. Raises StripeError."""
    if not call.public:
        message = (
            "Sending credit card numbers directly to the Stripe API is generally unsafe."
            " Use the card field with the publishable key, or a test payment method such as pm_card_visa."
        )
        raise StripeError(message, status=402, code="raw_card_data_refused")
    number = card.required("number").replace(" ", "")
    expiry = _checked_expiry(card)
    cvc = card.text("cvc")
    card.finish()
    if not number.isascii() or not number.isdecimal() or len(number) < 12 or not passes_luhn(number):
        raise card_error("Your card number is incorrect.", "incorrect_number", param="number")
    if cvc and not (cvc.isascii() and cvc.isdecimal() and len(cvc) in (3, 4)):
        raise card_error("Your card's security code is invalid.", "invalid_cvc", param="cvc")
    return number, expiry


def _checked_expiry(card: Params) -> tuple[int, int]:
    month, year = card.integer("exp_month"), card.integer("exp_year")
    year += 2000 if year < 100 else 0
    today = time.gmtime()
    if not 1 <= month <= 12:
        raise card_error(
            "Your card's expiration month is invalid.", "invalid_expiry_month", param="exp_month"
        )
    if not today.tm_year <= year <= today.tm_year + 50 or (year, month) < (today.tm_year, today.tm_mon):
        raise card_error("Your card's expiration year is invalid.", "invalid_expiry_year", param="exp_year")
    return month, year


def _tokenise(
    world: World, merchant: str, number: str, expiry: tuple[int, int], billing: Object, metadata: Object
) -> Object:
    test_card = TEST_CARDS.get(number)
    if test_card is None:
        message = (
            "Your card was declined. This is a sandbox: only its test cards are accepted, never a real one."
        )
        raise card_error(message, "card_declined", decline_code="test_mode_live_card", param="number")
    card = {
        "brand": test_card.brand,
        "checks": {"address_line1_check": None, "address_postal_code_check": None, "cvc_check": "unchecked"},
        "country": test_card.country,
        "display_brand": test_card.brand,
        "exp_month": expiry[0],
        "exp_year": expiry[1],
        "fingerprint": _fingerprint(world, merchant, number),
        "funding": test_card.funding,
        "generated_from": None,
        "last4": number[-4:],
        "networks": {"available": [test_card.brand], "preferred": None},
        "three_d_secure_usage": {"supported": test_card.three_d_secure != "unsupported"},
        "wallet": None,
    }
    details = {"address": None, "email": None, "name": None, "phone": None, **billing}
    method: Object = {
        "id": world.new_id("pm_"),
        "object": "payment_method",
        "allow_redisplay": "unspecified",
        "billing_details": details,
        "card": card,
        "created": int(world.now()),
        "customer": None,
        "livemode": False,
        "metadata": metadata,
        "type": "card",
        "_used": False,
        "_decline": test_card.decline,
        "_three_d_secure": test_card.three_d_secure,
        "_later": test_card.later,
    }
    return add(world, merchant, method)


def _fingerprint(world: World, merchant: str, number: str) -> str:
    key = world.storage.remember("stripe fingerprint key", lambda: secrets.token_hex(32))
    return hmac.new(bytes.fromhex(key), f"{merchant}:{number}".encode(), hashlib.sha256).hexdigest()[:16]


def retrieve(call: Call) -> Object:
    call.params.finish()
    return usable(call.world, call.account.merchant, call.path["id"], "id")


def usable(world: World, merchant: str, token: str, param: str) -> Object:
    """The payment method of a token, or of one of the documentation's shortcuts."""
    if token in SHORTCUTS:
        expiry = (12, time.gmtime().tm_year + 8)
        method = _tokenise(world, merchant, SHORTCUTS[token], expiry, {}, {})
        return _dress_as_apple_pay(world, method) if token == "pm_card_applepay" else method
    return load(world, merchant, "payment_method", token, param)


def behaviour(method: Object) -> TestCard:
    card = method["card"]
    return TestCard(
        card["brand"],
        card["country"],
        card["funding"],
        decline=method["_decline"],
        three_d_secure=method["_three_d_secure"],
    )
