"""`/control/…` for what happens at Stripe and at banks behind it, beside the common actions."""

import json
import secrets
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from sandbox.control import asked_json, foreign_origin, refused
from sandbox.payments import PaymentUnknown, get_payment
from sandbox.provider import ActionRefused, World
from sandbox.stripe import balance, charges, disputes, payouts, refunds
from sandbox.stripe.errors import StripeError
from sandbox.stripe.store import account_where, load

Deed = Callable[[World, Mapping[str, str], Mapping[str, Any]], Any]


def _rotate(world: World, path: Mapping[str, str], asked: Mapping[str, Any]) -> Any:
    """A new signing secret in front; the one before it stays valid, older ones end."""
    merchant = path["merchant"]
    account = account_where(world, merchant=merchant)
    if account is None:
        raise PaymentUnknown("unknown merchant")
    kept = [new_secret(), account.webhook_secrets[0]]
    world.storage.run(
        "UPDATE stripe_accounts SET webhook_secrets = ? WHERE merchant = ?", json.dumps(kept), merchant
    )
    return {"webhook_secrets": kept}


def new_secret() -> str:
    return f"whsec_{secrets.token_hex(24)}"


def _dispute(world: World, path: Mapping[str, str], asked: Mapping[str, Any]) -> Any:
    """`{"reason", "amount", "inquiry"}`, all optional."""
    payment = get_payment(world, path["payment"])
    charge = charges.latest(world, load(world, payment.merchant, "payment_intent", payment.id))
    left = charge["amount_captured"] - charge["amount_refunded"]
    dispute = disputes.open_dispute(
        world,
        charge,
        amount=int(asked.get("amount") or left),
        reason=str(asked.get("reason") or "fraudulent"),
        inquiry=bool(asked.get("inquiry")),
    )
    return {"dispute": dispute["id"], "status": dispute["status"]}


def _judge(world: World, path: Mapping[str, str], asked: Mapping[str, Any]) -> Any:
    dispute = disputes.judge(world, path["dispute"], path["verdict"])
    return {"dispute": dispute["id"], "status": dispute["status"]}


def _fail_refund(world: World, path: Mapping[str, str], asked: Mapping[str, Any]) -> Any:
    refund = refunds.fail(world, path["refund"], str(asked.get("reason") or "expired_or_canceled_card"))
    return {"refund": refund["id"], "status": refund["status"]}


def _settle_refund(world: World, path: Mapping[str, str], asked: Mapping[str, Any]) -> Any:
    refund = refunds.settle(world, path["refund"])
    return {"refund": refund["id"], "status": refund["status"]}


def _owing(world: World, path: Mapping[str, str], asked: Mapping[str, Any]) -> Any:
    """`{"currency", "forbidden"}`: whether the account may owe Stripe, or its refunds wait for money."""
    currency, forbidden = str(asked["currency"]), bool(asked["forbidden"])
    balance.forbid_owing(world, path["merchant"], currency, forbidden=forbidden)
    return {"currency": currency, "forbidden": forbidden}


def _pay_out(world: World, path: Mapping[str, str], asked: Mapping[str, Any]) -> Any:
    """The day's payout now, of everything that came in, also of what would only be available later."""
    if account_where(world, merchant=path["merchant"]) is None:
        raise PaymentUnknown("unknown merchant")
    made = payouts.pay_out(world, path["merchant"], until=float("inf"))
    return {"payouts": [{name: one[name] for name in ("id", "amount", "currency")} for one in made]}


_DEEDS: dict[str, Deed] = {
    "/control/stripe/{merchant}/rotate": _rotate,
    "/control/stripe/{merchant}/owing": _owing,
    "/control/stripe/{merchant}/payout": _pay_out,
    "/control/stripe/payments/{payment}/dispute": _dispute,
    "/control/disputes/{dispute}/{verdict}": _judge,
    "/control/refunds/{refund}/fail": _fail_refund,
    "/control/refunds/{refund}/succeed": _settle_refund,
}


def routes(world: World) -> list[BaseRoute]:
    return [Route(path, _handler(world, deed), methods=["POST"]) for path, deed in _DEEDS.items()]


def _handler(world: World, deed: Deed) -> Callable[[Request], Awaitable[Response]]:
    async def handle(request: Request) -> Response:
        if foreign_origin(request):
            return refused(403, "requests from other origins are refused")
        try:
            asked = await asked_json(request)
            with world.storage.transaction():
                return JSONResponse(deed(world, request.path_params, asked))
        except (PaymentUnknown, StripeError) as error:
            return refused(404, f"nothing is known of {error}")
        except ActionRefused as error:
            return refused(409, str(error))
        except (KeyError, ValueError, TypeError) as error:
            return refused(400, str(error))

    return handle
