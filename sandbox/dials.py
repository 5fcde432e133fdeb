"""The control API's dials: the clock, misfortune to order and by the mix, the truth and what is still open."""

from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from sandbox import chance, clock, fates, faults, money, truth, twists
from sandbox.control import Handler, asked_json, guarded
from sandbox.provider import World


def routes(world: World) -> list[BaseRoute]:
    table = [*_clock_table(world), *_fault_table(world), *_truth_table(world)]
    return [Route(path, guarded(handler), methods=[method]) for method, path, handler in table]


def _clock_table(world: World) -> list[tuple[str, str, Handler]]:
    async def show_clock(request: Request) -> Response:
        return JSONResponse(clock.shown(world))

    async def move_clock(request: Request) -> Response:
        asked = await asked_json(request)
        clock.move(world, advance=asked.get("advance"), until=asked.get("set"))
        return JSONResponse(clock.shown(world))

    return [("GET", "/control/clock", show_clock), ("POST", "/control/clock", move_clock)]


def _fault_table(world: World) -> list[tuple[str, str, Handler]]:
    async def plan_fault(request: Request) -> Response:
        asked = await asked_json(request)
        faults.plan_fault(world, **{"kind": "", **asked})
        return JSONResponse({"planned": asked})

    async def plan_twist(request: Request) -> Response:
        asked = await asked_json(request)
        twists.plan(world, **{"kind": "", **asked})
        return JSONResponse({"planned": asked})

    async def plan_fate(request: Request) -> Response:
        asked = await asked_json(request)
        fates.plan(world, **{"deed": "", "fate": "", **asked})
        return JSONResponse({"planned": asked})

    async def forget(request: Request) -> Response:
        return JSONResponse({"forgotten": faults.forget_planned(world)})

    async def show_mix(request: Request) -> Response:
        return JSONResponse(_mix(world))

    async def set_mix(request: Request) -> Response:
        chance.set_mix(world, await asked_json(request))
        return JSONResponse(_mix(world))

    return [
        ("POST", "/control/faults", plan_fault),
        ("DELETE", "/control/faults", forget),
        ("POST", "/control/notification-faults", plan_twist),
        ("POST", "/control/fates", plan_fate),
        ("GET", "/control/mix", show_mix),
        ("POST", "/control/mix", set_mix),
    ]


def _mix(world: World) -> dict[str, Any]:
    return {**chance.mix(world), "faults": chance.counted(world)}


def _truth_table(world: World) -> list[tuple[str, str, Handler]]:
    async def ground_truth(request: Request) -> Response:
        asked = request.query_params.get
        narrowed = {"merchant": asked("merchant", ""), "channel": asked("channel", "")}
        limit = asked("limit")
        if limit is None:
            return StreamingResponse(truth.streamed(world, **narrowed), media_type="application/json")
        return JSONResponse(truth.page(world, **narrowed, after=asked("after", ""), limit=int(limit)))

    def of_money(told: Callable[..., dict[str, Any]]) -> Handler:
        async def answer(request: Request) -> Response:
            return JSONResponse(told(world, **request.query_params))

        return answer

    async def open_items(request: Request) -> Response:
        return JSONResponse(truth.open_items(world))

    return [
        ("GET", "/control/ground-truth", ground_truth),
        ("GET", "/control/ground-truth/movements", of_money(money.movements)),
        ("GET", "/control/ground-truth/payouts", of_money(money.payouts)),
        ("GET", "/control/ground-truth/bank", of_money(money.bank)),
        ("GET", "/control/ground-truth/days", of_money(money.days)),
        ("GET", "/control/open", open_items),
    ]
