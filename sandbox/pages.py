"""Pages for people: the payments that wait, with the wallet's and the bank's buttons."""

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from sandbox import deliveries, payments
from sandbox.control import foreign_origin
from sandbox.html import Html, amount_text, fragment, join, page
from sandbox.provider import ActionRefused, Delivery, Payment, World

_TITLE = "Sandbox · 沙盒"
_LABELS = {
    "scan": ("Scan 扫码", ""),
    "pay": ("Pay 付款", "go"),
    "decline": ("Decline 拒绝", "stop"),
    "expire": ("Expire 过期", ""),
}
_STATES = {
    "waiting": "waiting 等待",
    "authorized": "authorized 已授权",
    "paid": "paid 已付",
    "failed": "declined 失败",
    "closed": "closed 已关闭",
}


def routes(world: World) -> list[BaseRoute]:
    async def home(request: Request) -> Response:
        return HTMLResponse(_home(world))

    async def act(request: Request) -> Response:
        if foreign_origin(request):
            return Response("requests from other origins are refused", 403)
        try:
            payments.act(world, request.path_params["payment"], request.path_params["action"])
        except payments.PaymentUnknown:
            return Response("unknown payment", 404)
        except ActionRefused as refusal:
            return HTMLResponse(_home(world, str(refusal)), 409)
        return RedirectResponse("/", 303)

    async def resend(request: Request) -> Response:
        if foreign_origin(request):
            return Response("requests from other origins are refused", 403)
        try:
            deliveries.resend(world, request.path_params["delivery"])
        except deliveries.DeliveryUnknown:
            return Response("unknown delivery", 404)
        return RedirectResponse("/", 303)

    return [
        Route("/", home, methods=["GET"]),
        Route("/payments/{payment}/{action}", act, methods=["POST"]),
        Route("/deliveries/{delivery}/resend", resend, methods=["POST"]),
    ]


def _home(world: World, trouble: str = "") -> str:
    waiting = payments.find_payments(world, state="waiting", limit=100)
    done = [found for found in payments.find_payments(world, limit=30) if found.state != "waiting"]
    sent = deliveries.newest_deliveries(world, limit=15)
    body = fragment(
        "home",
        notice=Html(f'<p class="notice" role="alert">{fragment("text", text=trouble)}</p>')
        if trouble
        else Html(""),
        waiting_count=len(waiting),
        waiting=_cards(
            [_payment_card(payment) for payment in waiting], "Nobody waits for you. 没有等待的付款。"
        ),
        recent=_cards([_payment_card(payment) for payment in done], "Nothing yet. 还没有。"),
        deliveries_count=len(sent),
        deliveries=_cards([_delivery_card(delivery) for delivery in sent], "Nothing yet. 还没有。"),
    )
    return page(_TITLE, body)


def _cards(cards: list[Html], empty: str) -> Html:
    if not cards:
        return Html(f'<p class="empty">{empty}</p>')
    return Html(f'<ul class="cards">{join(cards)}</ul>')


def _payment_card(payment: Payment) -> Html:
    buttons: list[Html] = []
    if payment.state == "waiting":
        if payment.scan_url:
            buttons.append(fragment("link", url=payment.scan_url, label="Open on the phone 手机页面"))
        buttons.extend(_button(payment, action) for action in payment.actions.split())
    moved = f"refunded 已退 {amount_text(payment.refunded, payment.currency)}" if payment.refunded else ""
    return fragment(
        "payment",
        channel=payment.channel,
        amount=amount_text(payment.amount, payment.currency),
        state=payment.state,
        state_text=_STATES[payment.state],
        description=payment.description,
        reference=payment.reference,
        moved=moved,
        buttons=join(buttons),
    )


def _button(payment: Payment, action: str) -> Html:
    label, look = _LABELS.get(action, (action, ""))
    return fragment(
        "button", url=f"/payments/{payment.id}/{action}", label=label, look=look, of=payment.reference
    )


def _delivery_card(delivery: Delivery) -> Html:
    status = f"HTTP {delivery.last_status}" if delivery.last_status else delivery.last_error
    return fragment(
        "delivery",
        channel=delivery.channel,
        kind=delivery.kind,
        state=delivery.state,
        url=delivery.url,
        attempts=f"×{delivery.attempts} {status}",
        buttons=fragment(
            "button",
            url=f"/deliveries/{delivery.id}/resend",
            label="Resend 重发",
            look="",
            of=delivery.event_id,
        ),
    )
