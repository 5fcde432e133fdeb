"""What a phone shows after the scan: whom to pay, how much, Pay and Decline. The same page for every wallet."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from sandbox import payments
from sandbox.control import foreign_origin
from sandbox.html import Html, amount_text, fragment, page
from sandbox.provider import ActionRefused, Payment, World

_BEIJING = timezone(timedelta(hours=8))
_NAMES = {
    "alipay": ("支付宝", "Alipay"),
    "wechat": ("微信支付", "WeChat Pay"),
    "unionpay": ("银联在线支付", "UnionPay"),
    "ecny": ("数字人民币", "e-CNY"),
    "crypto": ("加密货币", "Crypto invoice"),
}
_ENDINGS = {
    "paid": ("paid", "支付成功", "Paid", "商家已收到付款。", "The merchant has the money."),
    "authorized": ("paid", "已冻结", "Held", "金额已为商家冻结。", "The sum is held for the merchant."),
    "failed": ("stopped", "已取消付款", "Declined", "没有扣款。", "No money was taken."),
    "closed": ("stopped", "订单已关闭", "Closed", "二维码已失效，没有扣款。", "This code no longer works."),
}


@dataclass(frozen=True, slots=True)
class Wallet:
    """One provider's wallet. `find` gives the payment of a code, `back` where the shop wants its buyer again.

    `actions` are what its buttons may do, `choice` the template that shows them; `leave` is the way back for
    providers that have one beside an address.
    """

    channel: str
    find: Callable[[World, str], str | None]
    back: Callable[[World, Payment, Request], str]
    place: str = ""  # its part of the address, where another provider serves the same wallet
    actions: tuple[str, ...] = ("pay", "decline")
    choice: str = "wallet_choice"
    leave: Callable[[World, Payment], Html] | None = None

    @property
    def address(self) -> str:
        return f"/wallet/{self.place or self.channel}"


def routes(world: World, wallet: Wallet) -> list[BaseRoute]:
    async def show(request: Request) -> Response:
        payment = _found(world, wallet, request)
        if payment is None:
            return HTMLResponse(_nothing(wallet.channel), 404)
        with suppress(ActionRefused):  # when it is over the page says how it ended
            payment = payments.act(world, payment.id, "scan")
        return HTMLResponse(_sheet(world, wallet, payment, request))

    async def decide(request: Request) -> Response:
        if foreign_origin(request):
            return Response("requests from other origins are refused", 403)
        payment = _found(world, wallet, request)
        if payment is None:
            return HTMLResponse(_nothing(wallet.channel), 404)
        try:
            payment = payments.act(world, payment.id, request.path_params["action"])
        except ActionRefused:
            return HTMLResponse(_sheet(world, wallet, payment, request), 409)
        here = request.url.path.rpartition("/")[0] + (f"?{request.url.query}" if request.url.query else "")
        return RedirectResponse(wallet.back(world, payment, request) or here, 303)

    path = f"{wallet.address}/{{code}}"
    return [
        Route(path, show, methods=["GET"]),
        Route(path + "/{action:str}", decide, methods=["POST"]),
    ]


def _found(world: World, wallet: Wallet, request: Request) -> Payment | None:
    if request.path_params.get("action", "decline") not in wallet.actions:
        return None
    payment = wallet.find(world, request.path_params["code"])
    return payments.get_payment(world, payment) if payment else None


def _sheet(world: World, wallet: Wallet, payment: Payment, request: Request) -> str:
    chinese, english = _NAMES[wallet.channel]
    query = f"?{request.url.query}" if request.url.query else ""
    # behind /pay or /decline the page must name the code's own address again
    here = f"{wallet.address}/{request.path_params['code']}"
    if payment.state == "waiting":
        foot = fragment(wallet.choice, here=here, query=query, amount=_yuan(payment))
    else:
        foot = _ending(payment, _way_back(world, wallet, payment, request))
    merchant = world.storage.row("SELECT name FROM merchants WHERE id = ?", payment.merchant)
    name = str(merchant["name"]) if merchant else "?"
    return _page(
        wallet.channel,
        fragment(
            "wallet",
            channel=wallet.channel,
            chinese=chinese,
            english=english,
            initial=name[:1].upper(),
            merchant=name,
            amount=_yuan(payment),
            length="long" if payment.amount >= 10_000_000 else "",
            amount_spoken=amount_text(payment.amount, payment.currency),
            description=payment.description or "—",
            reference=payment.reference,
            until=_until(payment),
            foot=foot,
        ),
    )


def _way_back(world: World, wallet: Wallet, payment: Payment, request: Request) -> Html:
    if wallet.leave:
        return wallet.leave(world, payment)
    back = wallet.back(world, payment, request)
    return fragment("wallet_back", url=back) if back else Html("")


def _ending(payment: Payment, back: Html) -> Html:
    look, chinese, english, chinese_more, english_more = _ENDINGS.get(payment.state, _ENDINGS["closed"])
    return fragment(
        "wallet_ending",
        look=look,
        mark="✓" if look == "paid" else "✕",
        chinese=chinese,
        english=english,
        chinese_more=chinese_more,
        english_more=english_more,
        back=back,
    )


def _nothing(channel: str) -> str:
    chinese, english = _NAMES[channel]
    return _page(channel, fragment("wallet_nothing", channel=channel, chinese=chinese, english=english))


def _page(channel: str, body: Html) -> str:
    chinese, english = _NAMES[channel]
    head = Html('<link rel="stylesheet" href="/static/wallet.css">')
    return page(f"{chinese} · {english} · Sandbox", body, head=head)


def _yuan(payment: Payment) -> str:
    return f"{payment.amount // 100:,}.{payment.amount % 100:02d}"


def _until(payment: Payment) -> str:
    if payment.expires_at is None:
        return "—"
    return datetime.fromtimestamp(payment.expires_at, _BEIJING).strftime("%Y-%m-%d %H:%M:%S")
