"""Events, and the signed webhooks that carry them."""

import hashlib
import hmac
import json
from typing import Any

from sandbox.deliveries import ask_delivery
from sandbox.provider import Delivery, SignedRequest, World
from sandbox.stripe.gateway import API_VERSION, Call
from sandbox.stripe.lists import page_of
from sandbox.stripe.store import Object, account_of, add, load, newest, shown


def emit(world: World, merchant: str, kind: str, item: Object, *, payment: str) -> None:
    """Record what happened to `item` as it is now, and ask for its webhook."""
    event: Object = {
        "id": world.new_id("evt_"),
        "object": "event",
        "api_version": API_VERSION,
        "created": int(world.now()),
        "data": {"object": shown(world, merchant, item, [])},
        "livemode": False,
        "pending_webhooks": 1,
        "request": {"id": world.new_id("req_"), "idempotency_key": None},
        "type": kind,
    }
    add(world, merchant, event, parent=payment)
    account = account_of(world, merchant)
    ask_delivery(
        world,
        channel="stripe",
        merchant=merchant,
        payment=payment,
        event_id=event["id"],
        kind=kind,
        url=account.webhook_url,
        content=json.dumps(event, indent=2, ensure_ascii=False),
    )


def signed(world: World, delivery: Delivery) -> SignedRequest:
    """`t=…,v1=…[,v1=…]`: one signature for each secret that is valid now, over `t.body`."""
    body = delivery.content.encode()
    moment = int(world.wall())
    secrets = account_of(world, delivery.merchant).webhook_secrets
    signatures = [_signature(secret, moment, body) for secret in secrets]
    header = ",".join([f"t={moment}", *(f"v1={signature}" for signature in signatures)])
    headers = {
        "Content-Type": "application/json; charset=utf-8",
        "Stripe-Signature": header,
        "User-Agent": "Stripe/1.0 (+https://stripe.com/docs/webhooks)",
    }
    return SignedRequest(headers, body)


def _signature(secret: str, moment: int, body: bytes) -> str:
    return hmac.new(secret.encode(), f"{moment}.".encode() + body, hashlib.sha256).hexdigest()


def denial(world: World, delivery: Delivery) -> tuple[str, str, str] | None:
    """An event of before, that comes late: the payment that succeeded had not, a while ago."""
    told = json.loads(delivery.content)
    if delivery.kind not in ("payment_intent.succeeded", "payment_intent.amount_capturable_updated"):
        return None
    intent = told["data"]["object"]
    intent |= {"status": "requires_payment_method", "amount_received": 0, "amount_capturable": 0}
    told |= {
        "id": world.new_id("evt_"),
        "type": "payment_intent.payment_failed",
        "created": told["created"] - 60,
    }
    return told["id"], told["type"], json.dumps(told, indent=2, ensure_ascii=False)


def retrieve(call: Call) -> Object:
    return load(call.world, call.account.merchant, "event", call.path["id"])


def listing(call: Call) -> Object:
    kind = call.params.text("type")
    events: list[Any] = newest(call.world, call.account.merchant, "event")
    return page_of(call, [event for event in events if not kind or event["type"] == kind], "/v1/events")
