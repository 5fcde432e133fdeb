"""Online banking: a person fills in a transfer to a merchant's account, and it arrives at once."""

from datetime import date

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from sandbox import payments
from sandbox.bank import gateway, ledger
from sandbox.control import Handler, asked_json, foreign_origin, guarded, refused
from sandbox.html import Html, fragment, page
from sandbox.provider import Payment, World

_DEBTOR = ("Li Lei", "XX37SAND0000001X000001")
_FIELDS = ("account", "amount", "currency", "text")


def routes(world: World) -> list[BaseRoute]:
    async def show(request: Request) -> Response:
        return HTMLResponse(_page(dict(request.query_params)))

    async def send(request: Request) -> Response:
        if foreign_origin(request):
            return Response("requests from other origins are refused", 403)
        form = await request.form()
        said = {name: str(form.get(name, "")).strip() for name in _FIELDS}
        try:
            made = _transfer(world, said["account"], said)
        except ValueError as problem:
            return HTMLResponse(_page(said, str(problem)), 422)
        payments.act(world, made.id, "pay")
        return RedirectResponse("/", 303)

    async def transfer(request: Request) -> Response:
        """`{"amount": "100.00", "currency": "CNY", "text": …}`; "waits" leaves it to be booked by hand."""
        asked = await asked_json(request)
        made = _transfer(world, request.path_params["account"], asked)
        if not asked.get("waits"):
            made = payments.act(world, made.id, "pay")
        return JSONResponse({"payment": made.id, "state": made.state})

    async def reject(request: Request) -> Response:
        account = ledger.account_of(world, account=request.path_params["account"])
        if account is None:
            return refused(404, "there is no such account")
        name = request.path_params["end_to_end_id"]
        with world.storage.transaction():
            ledger.reject_order(
                world, account.merchant, name, str((await asked_json(request)).get("reason", "AC04"))
            )
        return JSONResponse({"rejected": name})

    base = "/control/bank/{account}"
    return [
        Route("/bank/online", show, methods=["GET"]),
        Route("/bank/online", send, methods=["POST"]),
        Route(f"{base}/statements/{{day}}", guarded(_by_hand(world)), methods=["GET"]),
        Route(f"{base}/transfers", guarded(transfer), methods=["POST"]),
        Route(f"{base}/orders/{{end_to_end_id}}/reject", guarded(reject), methods=["POST"]),
    ]


def _by_hand(world: World) -> Handler:
    async def statement(request: Request) -> Response:
        """The day's file for people: `?format=camt.053`, `mt940` or `csv`."""
        account = ledger.account_of(world, account=request.path_params["account"])
        if account is None:
            return refused(404, "there is no such account")
        day = date.fromisoformat(request.path_params["day"])
        try:
            content, media_type, name = gateway.statement_of(world, account, day, request)
        except gateway.Refused as refusal:
            return refusal.answer
        told = {"Content-Disposition": f'attachment; filename="{name}"'}
        return Response(content, media_type=media_type, headers=told)

    return statement


def _transfer(world: World, account: str, said: dict[str, str]) -> Payment:
    """Raises ValueError."""
    found = ledger.account_of(world, account=account.replace(" ", "").upper()) if account else None
    if found is None:
        raise ValueError("There is no such account here. 没有这个账号。")
    currency = str(said.get("currency") or "CNY")
    with world.storage.transaction():
        return ledger.write_transfer(
            world,
            found,
            amount=ledger.minor_of(str(said.get("amount", "")), currency),
            currency=currency,
            text=str(said.get("text", ""))[:500],
            debtor=str(said.get("debtor") or _DEBTOR[0]),
            debtor_account=str(said.get("debtor_account") or _DEBTOR[1]),
        )


def _page(said: dict[str, str], trouble: str = "") -> str:
    notice = f'<p class="notice" role="alert">{fragment("text", text=trouble)}</p>' if trouble else ""
    values = {name: said.get(name, "") for name in _FIELDS}
    body = fragment("bank_online", notice=Html(notice), **{**values, "currency": values["currency"] or "CNY"})
    return page("Bank · 银行 · Sandbox", body)
