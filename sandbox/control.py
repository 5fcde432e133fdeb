"""The control API: what a test, a drill or `manage.py sandbox` may ask of the world. JSON both ways."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from sandbox import deliveries, merchants, payments
from sandbox.provider import ActionRefused, Delivery, Payment, World

Handler = Callable[[Request], Awaitable[Response]]

_PAYMENT_FIELDS = (
    "id channel reference amount currency state captured refunded".split()
    + "disputed reinstated dispute_fees".split()
    + "scan_url actions created_at updated_at".split()
)
_DELIVERY_FIELDS = (
    *"id channel payment event_id kind url state attempts next_at".split(),
    *"last_status last_error created_at twist".split(),
)


def payment_json(payment: Payment) -> dict[str, Any]:
    return {name: getattr(payment, name) for name in _PAYMENT_FIELDS}


def delivery_json(delivery: Delivery) -> dict[str, Any]:
    return {name: getattr(delivery, name) for name in _DELIVERY_FIELDS}


def refused(status: int, message: str) -> JSONResponse:
    return JSONResponse({"error": message}, status)


def foreign_origin(request: Request) -> bool:
    """Whether another site's page sent this: a browser names it, programs do not."""
    origin = request.headers.get("origin")
    return origin is not None and origin.partition("://")[2] != request.headers.get("host")


async def asked_json(request: Request) -> dict[str, Any]:
    """The body as an object. Raises ValueError for anything else."""
    body = json.loads(await request.body() or b"{}")
    if not isinstance(body, dict):
        raise ValueError("the body must be a JSON object")
    return body


def routes(world: World) -> list[BaseRoute]:
    table = [*_payment_table(world), *_delivery_table(world), *_world_table(world)]
    return [Route(path, guarded(handler), methods=[method]) for method, path, handler in table]


def _world_table(world: World) -> list[tuple[str, str, Handler]]:
    async def health(request: Request) -> Response:
        return JSONResponse({"status": "ok", "channels": sorted(world.providers)})

    async def create_merchant(request: Request) -> Response:
        asked = await asked_json(request)
        if not isinstance(asked.get("name"), str) or not asked["name"]:
            return refused(400, "name must be a text that is not empty")
        return JSONResponse(merchants.onboard(world, asked["name"], asked))

    return [
        ("GET", "/control/health", health),
        ("POST", "/control/merchants", create_merchant),
    ]


def _payment_table(world: World) -> list[tuple[str, str, Handler]]:
    async def list_payments(request: Request) -> Response:
        asked = request.query_params.get
        found = payments.find_payments(
            world,
            reference=asked("reference", ""),
            channel=asked("channel", ""),
            state=asked("state", ""),
        )
        return JSONResponse({"payments": [payment_json(payment) for payment in found]})

    async def act_on_payment(request: Request) -> Response:
        done = payments.act(world, request.path_params["payment"], request.path_params["action"])
        return JSONResponse(payment_json(done))

    async def dispute(request: Request) -> Response:
        made = payments.dispute(world, request.path_params["payment"], **await asked_json(request))
        return JSONResponse({"dispute": made})

    return [
        ("GET", "/control/payments", list_payments),
        ("POST", "/control/payments/{payment}/dispute", dispute),
        ("POST", "/control/payments/{payment}/{action}", act_on_payment),
    ]


def _delivery_table(world: World) -> list[tuple[str, str, Handler]]:
    async def list_deliveries(request: Request) -> Response:
        found = deliveries.newest_deliveries(world, twist=request.query_params.get("twist", ""))
        return JSONResponse({"deliveries": [delivery_json(delivery) for delivery in found]})

    async def give_up(request: Request) -> Response:
        merchant = request.query_params.get("merchant", "")
        return JSONResponse({"given_up": deliveries.give_up(world, merchant=merchant)})

    async def resend(request: Request) -> Response:
        return JSONResponse(delivery_json(deliveries.resend(world, request.path_params["delivery"])))

    async def resend_twisted(request: Request) -> Response:
        asked = await asked_json(request)
        kind = request.path_params["kind"]
        sent = deliveries.resend_twisted(world, request.path_params["delivery"], kind=kind, **asked)
        return JSONResponse(delivery_json(sent))

    return [
        ("GET", "/control/deliveries", list_deliveries),
        ("DELETE", "/control/deliveries", give_up),
        ("POST", "/control/deliveries/{delivery}/twisted/{kind}", resend_twisted),
        ("POST", "/control/deliveries/{delivery}/resend", resend),
    ]


def guarded(handler: Handler) -> Handler:
    """Refuse requests that a foreign page sends, and turn refusals into answers."""

    async def safely(request: Request) -> Response:
        if foreign_origin(request):
            return refused(403, "requests from other origins are refused")
        try:
            return await handler(request)
        except (payments.PaymentUnknown, deliveries.DeliveryUnknown) as error:
            return refused(404, f"nothing is known of {error}")
        except ActionRefused as error:
            return refused(409, str(error))
        except (ValueError, TypeError) as error:
            return refused(400, str(error))

    return safely
