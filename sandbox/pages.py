"""Pages for people: the payments that wait, with the wallet's and the bank's buttons."""

from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from sandbox import chance, clock, deliveries, payments
from sandbox.control import foreign_origin
from sandbox.html import Html, amount_text, fragment, join, page
from sandbox.provider import ActionRefused, Delivery, Payment, World

_JUMPS = {3600: "+1 h 小时", 86_400: "+1 day 天"}
_TITLE = "Sandbox · 沙盒"
_LABELS = {
    "scan": ("Scan 扫码", ""),
    "pay": ("Pay 付款", "go"),
    "decline": ("Decline 拒绝", "stop"),
    "expire": ("Expire 过期", ""),
    "see": ("Send coins 发送", ""),
    "underpay": ("Too little 少付", ""),
    "overpay": ("Too much 多付", ""),
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

    async def jump(request: Request) -> Response:
        if foreign_origin(request):
            return Response("requests from other origins are refused", 403)
        clock.move(world, advance=request.path_params["seconds"])
        return RedirectResponse("/", 303)

    async def calm(request: Request) -> Response:
        if foreign_origin(request):
            return Response("requests from other origins are refused", 403)
        chance.set_mix(world, {"off": request.path_params["wish"] == "off"})
        return RedirectResponse("/", 303)

    return [
        Route("/", home, methods=["GET"]),
        Route("/clock/{seconds:int}", jump, methods=["POST"]),
        Route("/mix/{wish}", calm, methods=["POST"]),
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
        dials=_dials(world),
        deliveries_count=len(sent),
        deliveries=_cards([_delivery_card(delivery) for delivery in sent], "Nothing yet. 还没有。"),
    )
    return page(_TITLE, body)


def _dials(world: World) -> Html:
    """The clock with its jumps, and the mix with its switch. Seconds are left out: the page would never rest."""
    moment = datetime.fromtimestamp(world.now(), UTC)
    mix = chance.mix(world)
    shares = [f"{_words(name)} {mix[name]:.0%}" for name in chance.RATES if mix[name]]
    happened = [f"{_words(kind)} ×{count}" for kind, count in chance.counted(world).items()]
    wish, wished, look = ("on", "Switch on 打开", "") if mix["off"] else ("off", "Let it settle 关闭", "stop")
    jumps = [
        fragment("button", url=f"/clock/{seconds}", label=label, look="", of="clock")
        for seconds, label in _JUMPS.items()
    ]
    return fragment(
        "dials",
        moment=moment.isoformat(timespec="minutes"),
        now=moment.strftime("%Y-%m-%d %H:%M UTC"),
        ahead=_ahead(world.ahead),
        jumps=join(jumps),
        mix_state="off 关" if mix["off"] else f"seed {mix['seed']}",
        shares=" · ".join(shares) or "No mix is set. 没有设置。",
        happened=" · ".join(happened),
        switch=fragment("button", url=f"/mix/{wish}", label=wished, look=look, of="mix")
        if shares
        else Html(""),
    )


def _words(name: str) -> str:
    return name.replace("_", " ")


def _ahead(seconds: float) -> str:
    if not seconds:
        return "As everywhere. 与真实时间一致。"
    where = "ahead of the real time 快于真实时间" if seconds > 0 else "behind the real time 慢于真实时间"
    days, rest = divmod(int(abs(seconds)), 86_400)
    hours, rest = divmod(rest, 3600)
    words = [
        f"{days} d" if days else "",
        f"{hours} h" if hours else "",
        f"{rest // 60} min" if rest >= 60 else "",
    ]
    return f"{' '.join(filter(None, words)) or 'seconds'} {where}"


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
