"""The control API: what a test, a drill or `manage.py sandbox` may ask of the world. JSON both ways."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from sandbox import deliveries, faults, merchants, payments
from sandbox.provider import ActionRefused, Delivery, Payment, World

Handler = Callable[[Request], Awaitable[Response]]

_PAYMENT_FIELDS = (
    "id channel reference amount currency state captured refunded".split()
    + "scan_url actions created_at updated_at".split()
)
_DELIVERY_FIELDS = (
    "id channel payment event_id kind url state attempts next_at last_status last_error created_at".split()
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


class Control:
    """The handlers of the control API."""

    def __init__(self, world: World) -> None:
        self.world = world

    async def health(self, _: Request) -> Response:
        return JSONResponse({"status": "ok", "channels": sorted(self.world.providers)})

    async def create_merchant(self, request: Request) -> Response:
        asked = await asked_json(request)
        if not isinstance(asked.get("name"), str) or not asked["name"]:
            return refused(400, "name must be a text that is not empty")
        return JSONResponse(merchants.onboard(self.world, asked["name"], asked))

    async def list_payments(self, request: Request) -> Response:
        asked = request.query_params.get
        found = payments.find_payments(
            self.world,
            reference=asked("reference", ""),
            channel=asked("channel", ""),
            state=asked("state", ""),
        )
        return JSONResponse({"payments": [payment_json(payment) for payment in found]})

    async def act_on_payment(self, request: Request) -> Response:
        done = payments.act(self.world, request.path_params["payment"], request.path_params["action"])
        return JSONResponse(payment_json(done))

    async def ground_truth(self, request: Request) -> Response:
        moved = self.world.storage.rows(
            "SELECT id AS payment, channel, reference, currency, captured, refunded FROM payments"
            " WHERE captured > 0 ORDER BY created_at, id"
        )
        return JSONResponse({"movements": [dict(row) for row in moved]})

    async def list_deliveries(self, request: Request) -> Response:
        found = deliveries.newest_deliveries(self.world)
        return JSONResponse({"deliveries": [delivery_json(delivery) for delivery in found]})

    async def resend(self, request: Request) -> Response:
        return JSONResponse(delivery_json(deliveries.resend(self.world, request.path_params["delivery"])))

    async def plan_fault(self, request: Request) -> Response:
        asked = {
            "method": "",
            "path": "/",
            "kind": "",
            "seconds": 0.0,
            "times": 1,
            **await asked_json(request),
        }
        faults.plan_fault(self.world, **asked)
        return JSONResponse({"planned": asked})


def routes(world: World) -> list[BaseRoute]:
    control = Control(world)
    table: list[tuple[str, str, Handler]] = [
        ("GET", "/control/health", control.health),
        ("POST", "/control/merchants", control.create_merchant),
        ("GET", "/control/payments", control.list_payments),
        ("POST", "/control/payments/{payment}/{action}", control.act_on_payment),
        ("GET", "/control/ground-truth", control.ground_truth),
        ("GET", "/control/deliveries", control.list_deliveries),
        ("POST", "/control/deliveries/{delivery}/resend", control.resend),
        ("POST", "/control/faults", control.plan_fault),
    ]
    return [Route(path, _guarded(handler), methods=[method]) for method, path, handler in table]


def _guarded(handler: Handler) -> Handler:
    """Refuse requests that a foreign page sends, and turn refusals into answers."""

    async def guarded(request: Request) -> Response:
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

    return guarded
