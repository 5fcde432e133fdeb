"""The wallets' pages of Stripe's Alipay and WeChat Pay: the same phone, reached by another way."""

from starlette.requests import Request
from starlette.routing import BaseRoute

from sandbox import wallet
from sandbox.payments import PaymentUnknown, get_payment
from sandbox.provider import Payment, World
from sandbox.stripe.challenge import way_back
from sandbox.stripe.store import load


def routes(world: World) -> list[BaseRoute]:
    phones = [
        wallet.Wallet("alipay", _find, _back, place="stripe-alipay"),
        wallet.Wallet("wechat", _find, _nowhere, place="stripe-wechat-pay"),
    ]
    return [route for phone in phones for route in wallet.routes(world, phone)]


def _find(world: World, code: str) -> str | None:
    try:
        return get_payment(world, code).id if code.startswith("pi_") else None
    except PaymentUnknown:
        return None


def _back(world: World, payment: Payment, request: Request) -> str:
    return way_back(load(world, payment.merchant, "payment_intent", payment.id))


def _nowhere(world: World, payment: Payment, request: Request) -> str:
    return ""
