"""The issuer's 3-D Secure page. It may be framed; when done it goes to the merchant's `return_url`."""

from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from sandbox.control import foreign_origin
from sandbox.html import Html, amount_text, fragment, page
from sandbox.provider import ActionRefused, World
from sandbox.stripe import machine
from sandbox.stripe.errors import StripeError
from sandbox.stripe.store import Object, load, owner_of

_ANSWERS = {"pass": True, "fail": False}


def answer(world: World, key: str, verdict: str) -> Object:
    """Pass or fail the open challenge of a challenge's or an intent's id. Raises ActionRefused."""
    if verdict not in _ANSWERS:
        raise ActionRefused("a challenge can pass or fail")
    with world.storage.transaction():
        merchant = owner_of(world, key)
        intent_id = key if key.startswith("pi_") else load(world, merchant, "challenge", key)["intent"]
        intent = load(world, merchant, "payment_intent", intent_id)
        open_challenge = intent["_challenge"]
        if not open_challenge or key not in (open_challenge, intent_id):
            raise ActionRefused("this challenge is over")
        return machine.answer_challenge(world, merchant, intent, _ANSWERS[verdict])


def routes(world: World) -> list[BaseRoute]:
    async def show(request: Request) -> Response:
        try:
            return HTMLResponse(_page(world, request.path_params["challenge"]))
        except StripeError:
            return HTMLResponse(_over("Unknown challenge", "没有这个验证"), 404)

    async def decide(request: Request) -> Response:
        if foreign_origin(request):
            return Response("requests from other origins are refused", 403)
        try:
            intent = answer(world, request.path_params["challenge"], request.path_params["verdict"])
        except (ActionRefused, StripeError):
            return HTMLResponse(_over("This check is over", "验证已结束"), 409)
        return _onwards(intent)

    async def control(request: Request) -> Response:
        if foreign_origin(request):
            return JSONResponse({"error": "requests from other origins are refused"}, 403)
        try:
            intent = answer(world, request.path_params["challenge"], request.path_params["verdict"])
        except ActionRefused as refusal:
            return JSONResponse({"error": str(refusal)}, 409)
        except StripeError as error:
            return JSONResponse({"error": str(error)}, 404)
        return JSONResponse({"payment": intent["id"], "status": intent["status"]})

    return [
        Route("/stripe/challenges/{challenge}", show, methods=["GET"]),
        Route("/stripe/challenges/{challenge}/{verdict}", decide, methods=["POST"]),
        Route("/control/challenges/{challenge}/{verdict}", control, methods=["POST"]),
    ]


def _page(world: World, key: str) -> str:
    merchant = owner_of(world, key)
    challenge = load(world, merchant, "challenge", key)
    if challenge["state"] != "open":
        return _over("This check is over", "验证已结束")
    intent = load(world, merchant, "payment_intent", challenge["intent"])
    name = world.storage.row("SELECT name FROM merchants WHERE id = ?", merchant)
    body = fragment(
        "stripe_challenge",
        merchant=name["name"] if name else merchant,
        amount=amount_text(intent["amount"], intent["currency"].upper()),
        last4=challenge["last4"],
        url=f"/stripe/challenges/{key}",
    )
    return page("3-D Secure · 安全验证", body)


def _over(english: str, chinese: str) -> str:
    return page("3-D Secure", fragment("stripe_over", english=english, chinese=chinese))


def _onwards(intent: Object) -> Response:
    """Back to the merchant, with what Stripe adds to the address."""
    target = way_back(intent)
    if target:
        return RedirectResponse(target, 303)
    return HTMLResponse(page("3-D Secure", Html(fragment("stripe_over", english="Done", chinese="已完成"))))


def way_back(intent: Object) -> str:
    target = intent["_return_url"]
    if not target:
        return ""
    told = {
        "payment_intent": intent["id"],
        "payment_intent_client_secret": intent["client_secret"],
        "redirect_status": "failed" if intent["status"] == "requires_payment_method" else "succeeded",
    }
    return f"{target}{'&' if '?' in target else '?'}{urlencode(told)}"
