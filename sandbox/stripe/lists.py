"""Lists as the API pages them."""

from sandbox.stripe.errors import StripeError
from sandbox.stripe.gateway import Call
from sandbox.stripe.store import Object, children, load, newest


def listed(call: Call, kind: str, intent: str) -> list[Object]:
    """The account's objects of a kind, or those of one payment intent of its own, newest first."""
    if not intent:
        return newest(call.world, call.account.merchant, kind)
    load(call.world, call.account.merchant, "payment_intent", intent, "payment_intent")
    return children(call.world, intent, kind)


def page_of(call: Call, items: list[Object], url: str) -> Object:
    """One page of `items` (newest first) by `limit`, `starting_after` and `created[…]`."""
    limit = call.params.integer("limit", 10)
    if not 1 <= limit <= 100:
        raise StripeError("Limit must be between 1 and 100.", param="limit")
    after = call.params.text("starting_after")
    created = call.params.table("created")
    earliest, latest = created.integer("gte", 0), created.integer("lte", 10**12)
    created.finish()
    call.params.finish()
    found = [item for item in items if earliest <= item["created"] <= latest]
    if after:
        places = [place for place, item in enumerate(found) if item["id"] == after]
        found = found[places[0] + 1 :] if places else []
    return {"object": "list", "url": url, "has_more": len(found) > limit, "data": found[:limit]}
