"""Puts the world together: storage, providers, control API, pages and the delivery engine."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from starlette.applications import Starlette
from starlette.routing import BaseRoute, Mount
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from sandbox import clock, control, dials, pages, phones, sms
from sandbox.deliveries import DeliveryEngine
from sandbox.misfortune import Misfortune
from sandbox.provider import World
from sandbox.registry import all_providers
from sandbox.statements import control as statement_control
from sandbox.statements import desk, plans
from sandbox.storage import Storage

_STATIC = Path(__file__).parent / "static"


def build_world(data: Path, public_url: str) -> World:
    world = World(storage=Storage(data), public_url=public_url.rstrip("/"))
    clock.wind(world)
    world.storage.create(plans.SCHEMA)
    world.storage.create(phones.SCHEMA)
    for provider in all_providers():
        world.storage.create(provider.schema)
        world.providers[provider.channel] = provider
        with world.storage.transaction():
            provider.prepare(world)
    return world


def build_app(world: World) -> ASGIApp:
    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        engine = asyncio.create_task(DeliveryEngine(world).run())
        yield
        engine.cancel()
        with suppress(asyncio.CancelledError):
            await engine
        world.storage.close()

    routes: list[BaseRoute] = [
        *dials.routes(world),
        *control.routes(world),
        *statement_control.routes(world),
        *desk.routes(world),
        *pages.routes(world),
        *sms.routes(world),
    ]
    for provider in world.providers.values():
        routes.extend(provider.routes(world))
    routes.append(Mount("/static", StaticFiles(directory=_STATIC)))
    # outermost: a fault must reach the connection itself
    return Misfortune(Starlette(routes=routes, lifespan=lifespan), world)
