"""`/control/statements/faults`: plant mistakes in statements, list them with their truth, take them back."""

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from sandbox.control import Handler, asked_json, guarded, refused
from sandbox.provider import World
from sandbox.statements import mix, plans


def routes(world: World) -> list[BaseRoute]:
    return [Route(path, guarded(handler), methods=[method]) for method, path, handler in _table(world)]


def _table(world: World) -> list[tuple[str, str, Handler]]:
    async def plant(request: Request) -> Response:
        asked: dict[str, Any] = {"channel": "", "day": "", "kind": "", **await asked_json(request)}
        with world.storage.transaction():
            return JSONResponse(plans.told(plans.plan(world, **asked)))

    async def plant_mix(request: Request) -> Response:
        asked: dict[str, Any] = {"seed": 0, "first": "", "last": "", **await asked_json(request)}
        with world.storage.transaction():
            made, left_out = mix.plant(world, **asked)
        return JSONResponse({"faults": [plans.told(fault) for fault in made], "left_out": left_out})

    async def listing(request: Request) -> Response:
        asked = request.query_params.get
        with world.storage.transaction():
            found = plans.planted(world, channel=asked("channel", ""), merchant=asked("merchant", ""))
        return JSONResponse({"faults": [plans.told(fault) for fault in found]})

    async def forget(request: Request) -> Response:
        if not plans.forget(world, request.path_params["fault"]):
            return refused(404, "there is no such fault")
        return JSONResponse({"forgotten": request.path_params["fault"]})

    base = "/control/statements"
    return [
        ("GET", f"{base}/faults", listing),
        ("POST", f"{base}/faults", plant),
        ("DELETE", f"{base}/faults/{{fault:int}}", forget),
        ("POST", f"{base}/mix", plant_mix),
    ]
