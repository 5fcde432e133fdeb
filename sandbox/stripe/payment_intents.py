"""`/v1/payment_intents`: the parameters and their checks; `machine` does the rest."""

import re
import secrets
from typing import Any

from sandbox import payments
from sandbox.stripe import charges, machine
from sandbox.stripe.errors import StripeError
from sandbox.stripe.events import emit
from sandbox.stripe.forms import Params
from sandbox.stripe.gateway import Call
from sandbox.stripe.lists import page_of
from sandbox.stripe.payment_methods import of_wallet, usable
from sandbox.stripe.store import Object, add, load, newest, save

_LARGEST = 99_999_999
_THREE_D_SECURE = ("automatic", "any", "challenge")
_WHERE_AVAILABLE = ("if_available", "never")
_REASONS = ("duplicate", "fraudulent", "requested_by_customer", "abandoned")
_CAPTURE_METHODS = ("automatic", "automatic_async", "manual")


def create(call: Call) -> Object:
    params = call.params
    intent = _new(call, _amount(params), _currency(params))
    confirmed = params.boolean("confirm")
    token, data = params.text("payment_method"), params.table("payment_method_data")
    intent["_off_session"] = params.boolean("off_session")
    intent["_return_url"] = params.text("return_url")
    if intent["_return_url"] and not confirmed:
        message = "`return_url` cannot be passed when creating a PaymentIntent unless `confirm` is true."
        raise StripeError(message, param="return_url")
    _ignore(params, ("receipt_email", "statement_descriptor_suffix"))
    params.mapping("shipping")
    params.finish()
    method = _method(call, intent, token, data)
    if confirmed and method is None:
        message = "You cannot confirm this PaymentIntent because it's missing a payment method."
        raise StripeError(message, code="parameter_missing", param="payment_method")
    add(call.world, call.account.merchant, intent)
    payments.open_payment(
        call.world,
        payment=intent["id"],
        channel="stripe",
        merchant=call.account.merchant,
        reference=intent["metadata"].get("reference", intent["id"]),
        amount=intent["amount"],
        currency=intent["currency"].upper(),
        description=intent["description"] or "",
        actions="expire",
    )
    emit(call.world, call.account.merchant, "payment_intent.created", intent, payment=intent["id"])
    if method is None:
        return intent
    if confirmed:
        return machine.confirm(call.world, call.account.merchant, intent, method)
    intent.update(status="requires_confirmation", payment_method=method["id"])
    save(call.world, intent)
    return intent


def _new(call: Call, amount: int, currency: str) -> Object:
    params, world = call.params, call.world
    key = world.new_id("pi_")
    types, automatic = _kinds(params)
    return {
        "id": key,
        "object": "payment_intent",
        "amount": amount,
        "amount_capturable": 0,
        "amount_received": 0,
        "automatic_payment_methods": automatic,
        "canceled_at": None,
        "cancellation_reason": None,
        "capture_method": params.choice("capture_method", _CAPTURE_METHODS, "automatic_async"),
        "client_secret": f"{key}_secret_{secrets.token_urlsafe(18)}",
        "confirmation_method": params.choice("confirmation_method", ("automatic", "manual"), "automatic"),
        "created": int(world.now()),
        "currency": currency,
        "customer": _customer(call),
        "description": params.text("description") or None,
        "last_payment_error": None,
        "latest_charge": None,
        "livemode": False,
        "metadata": params.metadata(),
        "next_action": None,
        "payment_method": None,
        "payment_method_options": _options(params, types, {}),
        "payment_method_types": types,
        "processing": None,
        "setup_future_usage": params.choice("setup_future_usage", ("on_session", "off_session")) or None,
        "status": "requires_payment_method",
        "_off_session": False,
        "_return_url": "",
        "_challenge": None,
    }


def _amount(params: Params) -> int:
    amount = params.integer("amount")
    if amount < 1:
        message = "This value must be greater than or equal to 1."
        raise StripeError(message, code="parameter_invalid_integer", param="amount")
    if amount > _LARGEST:
        message = "Amount must be no more than 99999999."
        raise StripeError(message, code="amount_too_large", param="amount")
    return amount


def _currency(params: Params) -> str:
    currency = params.required("currency").lower()
    if not re.fullmatch("[a-z]{3}", currency):
        raise StripeError(f"Invalid currency: {currency[:10]}.", code="invalid_currency", param="currency")
    return currency


def _kinds(params: Params) -> tuple[list[Any], Object | None]:
    types = params.listing("payment_method_types") or ["card"]
    automatic = params.table("automatic_payment_methods")
    enabled, redirects = automatic.boolean("enabled"), automatic.text("allow_redirects")
    automatic.finish()
    for kind in types:
        if kind not in ("card", "alipay", "wechat_pay"):
            message = f"The payment method type {str(kind)[:40]!r} is invalid in this sandbox."
            raise StripeError(message, code="payment_intent_invalid_parameter", param="payment_method_types")
    return types, {"enabled": True, "allow_redirects": redirects or "always"} if enabled else None


def _customer(call: Call) -> str | None:
    key = call.params.text("customer")
    return str(load(call.world, call.account.merchant, "customer", key, "customer")["id"]) if key else None


def _method(call: Call, intent: Object, token: str, data: Params) -> Object | None:
    """The payment method that is named, or the wallet's that is made here. Raises StripeError."""
    kind = data.choice("type", ("alipay", "wechat_pay"))
    if kind:
        data.mapping(kind)
    data.finish()
    if kind:
        method = of_wallet(call.world, call.account.merchant, kind)
    elif token:
        method = usable(call.world, call.account.merchant, token, "payment_method")
    else:
        return None
    _check_method(intent, method)
    return method


def _check_method(intent: Object, method: Object) -> None:
    kind = method["type"]
    if kind not in intent["payment_method_types"]:
        message = f"The PaymentMethod provided ({kind}) is not allowed for this PaymentIntent."
        raise StripeError(message, code="payment_intent_incompatible_payment_method", param="payment_method")
    if kind != "card" and intent["capture_method"] == "manual":
        message = f"The payment method type {kind} does not support manual capture."
        raise StripeError(message, code="payment_intent_invalid_parameter", param="capture_method")
    if method["customer"] and method["customer"] != intent["customer"]:
        message = (
            "The provided PaymentMethod belongs to a Customer."
            " Include the Customer in the `customer` parameter on the PaymentIntent."
        )
        raise StripeError(message, param="payment_method")


def _options(params: Params, types: list[Any], before: Object) -> Object:
    options = params.table("payment_method_options")
    wechat = options.table("wechat_pay")
    client = wechat.choice("client", ("web", "ios", "android", "mobile_web"))
    wechat.finish()
    card = _card_options(options, before.get("card", {}))
    options.finish()
    if "wechat_pay" not in types:
        return {"card": card}
    if not client and "wechat_pay" not in before:
        message = "Missing required param: payment_method_options[wechat_pay][client]."
        raise StripeError(
            message, code="parameter_missing", param="payment_method_options[wechat_pay][client]"
        )
    return {"card": card, "wechat_pay": {"client": client or before["wechat_pay"]["client"]}}


def _card_options(options: Params, before: Object) -> Object:
    card = options.table("card")
    asked = {
        "request_multicapture": card.choice(
            "request_multicapture", _WHERE_AVAILABLE, before.get("request_multicapture", "never")
        ),
        "request_three_d_secure": card.choice(
            "request_three_d_secure", _THREE_D_SECURE, before.get("request_three_d_secure", "automatic")
        ),
    }
    card.finish()
    return asked


def _ignore(params: Params, names: tuple[str, ...]) -> None:
    for name in names:
        params.text(name)


def _found(call: Call) -> Object:
    return load(call.world, call.account.merchant, "payment_intent", call.path["id"], "intent")


def retrieve(call: Call) -> Object:
    call.params.text("client_secret")
    call.params.finish()
    return _found(call)


def listing(call: Call) -> Object:
    call.params.text("customer")
    return page_of(call, newest(call.world, call.account.merchant, "payment_intent"), "/v1/payment_intents")


def search(call: Call) -> Object:
    """`query` may be `metadata['name']:'value'`."""
    query = call.params.required("query")
    limit = call.params.integer("limit", 10)
    call.params.text("page")
    call.params.finish()
    asked = re.fullmatch(r"""metadata\[["']([^"']+)["']\]:["']([^"']*)["']""", query)
    if asked is None:
        raise StripeError("We were unable to parse your search query.", param="query")
    name, value = asked.groups()
    found = [item for item in _candidates(call, name, value) if item["metadata"].get(name) == value]
    url = "/v1/payment_intents/search"
    return {
        "object": "search_result",
        "url": url,
        "has_more": False,
        "next_page": None,
        "data": found[:limit],
    }


def _candidates(call: Call, name: str, value: str) -> list[Object]:
    """The intents to look through, newest first; by their reference there are never many."""
    merchant = call.account.merchant
    if name != "reference":
        return newest(call.world, merchant, "payment_intent")
    rows = call.world.storage.rows(
        "SELECT id FROM payments WHERE reference = ? AND merchant = ? AND channel = 'stripe'"
        " ORDER BY created_at DESC",
        *(value, merchant),
    )
    return [load(call.world, merchant, "payment_intent", row["id"]) for row in rows]


def confirm(call: Call) -> Object:
    intent = _found(call)
    if intent["status"] not in ("requires_payment_method", "requires_confirmation"):
        raise machine.unexpected(call.world, call.account.merchant, intent, "confirm")
    token = call.params.text("payment_method") or intent["payment_method"] or ""
    intent["_return_url"] = call.params.text("return_url") or intent["_return_url"]
    intent["payment_method_options"] = _options(
        call.params, intent["payment_method_types"], intent["payment_method_options"]
    )
    data = call.params.table("payment_method_data")
    call.params.finish()
    method = _method(call, intent, token, data)
    if method is None:
        message = "You cannot confirm this PaymentIntent because it's missing a payment method."
        raise StripeError(message, code="parameter_missing", param="payment_method")
    return machine.confirm(call.world, call.account.merchant, intent, method)


def capture(call: Call) -> Object:
    intent = _found(call)
    asked = call.params.integer("amount_to_capture", intent["amount_capturable"])
    call.params.metadata()
    final = call.params.boolean("final_capture", True)
    call.params.finish()
    if intent["status"] != "requires_capture":
        raise machine.unexpected(call.world, call.account.merchant, intent, "capture")
    if not 1 <= asked <= intent["amount_capturable"]:
        message = "The amount to capture must be between 1 and the amount that is capturable."
        raise StripeError(message, code="amount_too_large", param="amount_to_capture")
    if not final and not charges.takes_parts(charges.latest(call.world, intent)):
        message = "This PaymentIntent can not be captured more than once: multicapture is unavailable for it."
        raise StripeError(message, param="final_capture")
    return machine.capture(call.world, call.account.merchant, intent, asked, final=final)


def cancel(call: Call) -> Object:
    intent = _found(call)
    reason = call.params.choice("cancellation_reason", _REASONS)
    call.params.finish()
    if intent["status"] in ("succeeded", "canceled"):
        raise machine.unexpected(call.world, call.account.merchant, intent, "cancel")
    return machine.cancel(call.world, call.account.merchant, intent, reason)
