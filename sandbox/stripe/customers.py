"""`/v1/customers`, and the payment methods that are kept for them."""

from sandbox.stripe.errors import StripeError
from sandbox.stripe.gateway import Call
from sandbox.stripe.lists import page_of
from sandbox.stripe.store import Object, add, load, newest, save

_TEXTS = ("name", "email", "phone", "description")


def create(call: Call) -> Object:
    texts = {name: call.params.text(name) or None for name in _TEXTS}
    metadata = call.params.metadata()
    call.params.finish()
    customer: Object = {
        "id": call.world.new_id("cus_"),
        "object": "customer",
        "balance": 0,
        "created": int(call.world.now()),
        "currency": None,
        "default_source": None,
        "delinquent": False,
        "invoice_settings": {"default_payment_method": None},
        "livemode": False,
        "metadata": metadata,
        **texts,
    }
    return add(call.world, call.account.merchant, customer)


def retrieve(call: Call) -> Object:
    call.params.finish()
    return load(call.world, call.account.merchant, "customer", call.path["id"])


def listing(call: Call) -> Object:
    return page_of(call, newest(call.world, call.account.merchant, "customer"), "/v1/customers")


def methods(call: Call) -> Object:
    """`GET /v1/payment_methods?customer=…` and `GET /v1/customers/{id}/payment_methods`."""
    key, kind = call.path.get("id") or call.params.required("customer"), call.params.text("type")
    load(call.world, call.account.merchant, "customer", key, "customer")
    found = [
        one
        for one in newest(call.world, call.account.merchant, "payment_method")
        if one["customer"] == key and kind in ("", one["type"])
    ]
    return page_of(call, found, "/v1/payment_methods")


def attach(call: Call) -> Object:
    key = call.params.required("customer")
    call.params.finish()
    load(call.world, call.account.merchant, "customer", key, "customer")
    method = load(call.world, call.account.merchant, "payment_method", call.path["id"])
    if method["_used"] and not method["customer"]:
        message = (
            "This PaymentMethod was previously used without being attached to a Customer or was detached from a"
            " Customer, and may not be used again."
        )
        raise StripeError(message)
    if method["customer"] not in (None, key):
        raise StripeError("The payment method you provided has already been attached to a customer.")
    method["customer"] = key
    save(call.world, method)
    return method


def detach(call: Call) -> Object:
    """It pays nothing any more, and can not be attached again."""
    call.params.finish()
    method = load(call.world, call.account.merchant, "payment_method", call.path["id"])
    if not method["customer"]:
        message = "The payment method you provided is not attached to a customer so detachment is impossible."
        raise StripeError(message)
    method.update(customer=None, _used=True)
    save(call.world, method)
    return method
