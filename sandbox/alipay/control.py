"""What a test may ask of Alipay alone: a new key, and refunds that waited."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from sandbox.alipay import certificates, refunds, signing, trades
from sandbox.control import asked_json, foreign_origin, refused
from sandbox.provider import ActionRefused, World


def routes(world: World) -> list[BaseRoute]:
    async def switch_key(request: Request) -> Response:
        """`{"share": percent}` of the signatures are made with a new key from now on."""
        account = trades.account_of(world, app_id=request.path_params["app_id"])
        if account is None or foreign_origin(request):
            return refused(404, "there is no such application")
        with world.storage.transaction():
            share = int((await asked_json(request)).get("share", 100))
            public = signing.switch_key(world, account.merchant, share=share)
        newest = signing.newest_pem(world, account.merchant)
        certificate = certificates.of_alipay(world, newest)
        return JSONResponse({"alipay_public_key": public, "alipay_certificate": certificate})

    async def finish_refund(request: Request) -> Response:
        account = trades.account_of(world, app_id=request.path_params["app_id"])
        if account is None or foreign_origin(request):
            return refused(404, "there is no such application")
        try:
            with world.storage.transaction():
                refunds.finish(world, account.merchant, request.path_params["number"])
        except ActionRefused as error:
            return refused(409, str(error))
        return JSONResponse({"finished": request.path_params["number"]})

    base = "/control/alipay/{app_id}"
    return [
        Route(f"{base}/switch-key", switch_key, methods=["POST"]),
        Route(f"{base}/refunds/{{number}}/finish", finish_refund, methods=["POST"]),
    ]
