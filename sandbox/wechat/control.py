"""What a test may ask of WeChat Pay alone: how it signs, how refunds end, and the bridge of its own browser."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from sandbox import keys, payments
from sandbox.control import asked_json, foreign_origin, refused
from sandbox.provider import ActionRefused, World
from sandbox.wechat import orders, platform_keys, refunds
from sandbox.wechat.orders import Account


def routes(world: World) -> list[BaseRoute]:
    def account_of(request: Request) -> Account | None:
        if foreign_origin(request):
            return None
        return orders.account_of(world, mchid=request.path_params["mchid"])

    async def arrange_signing(request: Request) -> Response:
        """`certificates`, `share`, `bad_answers`, `bad_notices`: see `sandbox.wechat.platform_keys`."""
        asked = {name: int(value) for name, value in (await asked_json(request)).items()}
        if (account := account_of(request)) is None:
            return refused(404, "there is no such merchant")
        with world.storage.transaction():
            platform_keys.arrange(world, account.merchant, **asked)
            held = platform_keys.held_keys(world, account.merchant)
        return JSONResponse({"serials": [key.serial for key in held]})

    async def end_refund(request: Request) -> Response:
        if (account := account_of(request)) is None:
            return refused(404, "there is no such merchant")
        try:
            with world.storage.transaction():
                done = refunds.end_refund(
                    world, account, request.path_params["number"], request.path_params["status"]
                )
        except ActionRefused as error:
            return refused(409, str(error))
        return JSONResponse({"status": done.status})

    async def bridge(request: Request) -> Response:
        """The page in WeChat's browser hands these parameters to the wallet, and the customer confirms."""
        asked = await asked_json(request)
        account = account_of(request)
        if account is None or not _is_signed(account, asked):
            return JSONResponse({"err_msg": "get_brand_wcpay_request:fail"}, 400)
        code = str(asked["package"]).removeprefix("prepay_id=wx")
        payment = orders.payment_with_code(world, code) if asked["appId"] == account.appid else None
        if payment is None:
            return JSONResponse({"err_msg": "get_brand_wcpay_request:fail"}, 400)
        payments.act(world, payment, "pay")
        return JSONResponse({"err_msg": "get_brand_wcpay_request:ok"})

    base = "/control/wechat/{mchid}"
    return [
        Route(f"{base}/signing", arrange_signing, methods=["POST"]),
        Route(f"{base}/refunds/{{number}}/{{status}}", end_refund, methods=["POST"]),
        Route(f"{base}/bridge", bridge, methods=["POST"]),
    ]


def _is_signed(account: Account, asked: dict[str, str]) -> bool:
    names = ("appId", "timeStamp", "nonceStr", "package")
    if asked.get("signType") != "RSA" or not all(isinstance(asked.get(name), str) for name in names):
        return False
    text = "".join(f"{asked[name]}\n" for name in names).encode("utf-8")
    return keys.verifies(keys.public_key(account.public_key), text, str(asked.get("paySign", "")))
