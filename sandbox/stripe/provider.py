"""Plugs Stripe into the world: routes, accounts, what people do, and how webhooks travel."""

import json
import secrets
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from sandbox.provider import ActionRefused, Delivery, Payment, Provider, SignedRequest, Trouble, World
from sandbox.stripe import (
    balance,
    card_field,
    challenge,
    charges,
    controls,
    customers,
    deadlines,
    disputes,
    events,
    files,
    itemized,
    machine,
    payment_intents,
    payment_methods,
    payouts,
    refunds,
    reports,
    wallets,
)
from sandbox.stripe.errors import StripeError
from sandbox.stripe.gateway import Operation, endpoint
from sandbox.stripe.store import SCHEMA, account_where, load, owner_of

_OPERATIONS: list[tuple[str, str, Operation]] = [
    ("GET", "payment_methods", customers.methods),
    ("GET", "payment_methods/{id}", payment_methods.retrieve),
    ("POST", "payment_methods/{id}/attach", customers.attach),
    ("POST", "payment_methods/{id}/detach", customers.detach),
    ("POST", "customers", customers.create),
    ("GET", "customers", customers.listing),
    ("GET", "customers/{id}", customers.retrieve),
    ("GET", "customers/{id}/payment_methods", customers.methods),
    ("POST", "payment_intents", payment_intents.create),
    ("GET", "payment_intents", payment_intents.listing),
    ("GET", "payment_intents/search", payment_intents.search),
    ("GET", "payment_intents/{id}", payment_intents.retrieve),
    ("POST", "payment_intents/{id}/confirm", payment_intents.confirm),
    ("POST", "payment_intents/{id}/capture", payment_intents.capture),
    ("POST", "payment_intents/{id}/cancel", payment_intents.cancel),
    ("POST", "refunds", refunds.create),
    ("GET", "refunds", refunds.listing),
    ("GET", "refunds/{id}", refunds.retrieve),
    ("GET", "charges", charges.listing),
    ("GET", "charges/{id}", charges.retrieve),
    ("GET", "balance_transactions", balance.listing),
    ("GET", "balance_transactions/{id}", balance.retrieve),
    ("GET", "disputes", disputes.listing),
    ("GET", "disputes/{id}", disputes.retrieve),
    ("POST", "disputes/{id}", disputes.update),
    ("POST", "disputes/{id}/close", disputes.close),
    ("POST", "files", files.create),
    ("GET", "files/{id}", files.retrieve),
    ("GET", "payouts", payouts.listing),
    ("GET", "payouts/{id}", payouts.retrieve),
    ("GET", "reporting/report_types/{id}", reports.retrieve_type),
    ("POST", "reporting/report_runs", reports.create),
    ("GET", "reporting/report_runs", reports.listing),
    ("GET", "reporting/report_runs/{id}", reports.retrieve),
    ("GET", "events", events.listing),
    ("GET", "events/{id}", events.retrieve),
]


# what Stripe says itself when it is not well: status → error
_TROUBLES = {
    500: {"type": "api_error", "message": "An unknown error occurred"},
    503: {"type": "api_error", "message": "Stripe is unavailable at the moment. Please try again."},
    429: {"type": "invalid_request_error", "code": "rate_limit", "message": "Request rate limit exceeded."},
}


class StripeProvider(Provider):
    channel = "stripe"
    schema = SCHEMA
    movements = balance.MOVEMENTS
    statements = itemized.STATEMENTS
    plays_issuer = True
    refunds_can_come_back = True
    api_paths = tuple(f"/stripe/v1/{name}*" for name in ("payment_intents", "refunds", "charges", "disputes"))
    # up to three days, further and further apart
    retry_schedule = (5, 30, 120, 600, 3_600, 7_200, 14_400, 28_800, 57_600, 86_400)

    def routes(self, world: World) -> list[BaseRoute]:
        create_method = endpoint(world, payment_methods.create, public=True)
        create_token = endpoint(world, payment_methods.create_token, public=True)
        api: list[BaseRoute] = [
            Route("/stripe/v1/payment_methods", create_method, methods=["POST"]),
            Route("/stripe/v1/tokens", create_token, methods=["POST"]),
        ]
        api.extend(reports.routes(world))
        for method, path, operation in _OPERATIONS:
            api.append(Route(f"/stripe/v1/{path}", endpoint(world, operation), methods=[method]))
        api.append(Route("/stripe/v1/{path:path}", _unrecognized, methods=["GET", "POST", "DELETE"]))
        people = [*challenge.routes(world), *wallets.routes(world), *card_field.routes()]
        return [*api, *people, *controls.routes(world)]

    def onboard(self, world: World, merchant: str, asked: Mapping[str, Any]) -> dict[str, Any]:
        webhooks = asked.get("webhooks") or {}
        url = webhooks.get("stripe") if isinstance(webhooks, Mapping) else None
        account = account_where(world, merchant=merchant)
        if account is None:
            world.storage.run(
                "INSERT INTO stripe_accounts VALUES (?, ?, ?, ?, ?)",
                merchant,
                f"sk_test_{secrets.token_hex(24)}",
                f"pk_test_{secrets.token_hex(24)}",
                url or "",
                json.dumps([controls.new_secret()]),
            )
        elif url:
            world.storage.run("UPDATE stripe_accounts SET webhook_url = ? WHERE merchant = ?", url, merchant)
        account = account_where(world, merchant=merchant)
        assert account is not None
        return {
            "secret_key": account.secret_key,
            "publishable_key": account.publishable_key,
            "webhook_secret": account.webhook_secrets[0],
        }

    def act(self, world: World, payment: Payment, action: str) -> None:
        intent = load(world, payment.merchant, "payment_intent", payment.id)
        if action in ("pay", "decline") and intent["_challenge"]:
            machine.answer_challenge(world, payment.merchant, intent, action == "pay")
        elif action in ("pay", "decline") and intent.get("_wallet"):
            machine.answer_wallet(world, payment.merchant, intent, action == "pay")
        elif action == "expire" and intent["status"] not in ("succeeded", "canceled"):
            machine.lapse(world, payment.merchant, intent)
        else:
            raise ActionRefused(f"a payment that is {intent['status']} can not {action}")

    def tick(self, world: World) -> None:
        for item in deadlines.due(world):
            with world.storage.transaction():
                deadlines.clear_deadline(world, item)
                # what ended in another way meanwhile stays as it is
                with suppress(ActionRefused, StripeError):
                    _come_due(world, item)

    def open_dispute(self, world: World, payment: Payment, *, amount: int, reason: str) -> str:
        charge = charges.latest(world, load(world, payment.merchant, "payment_intent", payment.id))
        return str(disputes.open_dispute(world, charge, amount=amount, reason=reason)["id"])

    def sign(self, world: World, delivery: Delivery) -> SignedRequest:
        return events.signed(world, delivery)

    def open_items(self, world: World) -> Mapping[str, int]:
        return deadlines.counted(world, {"refunds": "re_", "disputes": "dp_"})

    def mark(self, world: World, merchant: str) -> str:
        account = account_where(world, merchant=merchant)
        return account.secret_key if account else ""

    def trouble(self, world: World, status: int, path: str, text: str) -> Trouble | None:
        error = _TROUBLES.get(status)
        return Trouble(status, json.dumps({"error": error}).encode()) if error else None

    def for_merchant(self, world: World, delivery: Delivery, merchant: str) -> Delivery | None:
        return replace(delivery, merchant=merchant)

    def contradiction(self, world: World, delivery: Delivery) -> tuple[str, str, str] | None:
        return events.denial(world, delivery)


def _come_due(world: World, item: str) -> None:
    if item.startswith("pi_"):
        merchant = owner_of(world, item)
        machine.lapse(world, merchant, load(world, merchant, "payment_intent", item))
    elif item.startswith("dp_"):
        disputes.judge(world, item, "expire")
    elif item.startswith("re_"):
        refunds.come_due(world, item)
    elif item.startswith("day:"):
        payouts.end_day(world, item.partition(":")[2])


async def _unrecognized(request: Request) -> Response:
    message = f"Unrecognized request URL ({request.method}: {request.url.path})."
    return JSONResponse(StripeError(message, status=404).body, 404)
