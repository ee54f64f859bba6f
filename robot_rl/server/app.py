"""The application: routes, live hub, console."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from robot_rl.server import console, live, migration, openapi
from robot_rl.server.accounts.tokens import renew_grants
from robot_rl.server.accounts.users import ensure_admin
from robot_rl.server.blob_store import open_blobs
from robot_rl.server.database import Database, open_database
from robot_rl.server.perimeter import Perimeter
from robot_rl.server.problems import answer_problems
from robot_rl.server.routes import (
    access,
    audit,
    episodes,
    feed,
    figures,
    ingest,
    learner,
    policies,
    status,
    tokens,
    users,
)
from robot_rl.server.services import Services
from robot_rl.server.settings import ServerSettings

ROUTERS = (ingest, feed, policies, learner, episodes, figures, audit, access, users, tokens, status)


def create_app(settings: ServerSettings, database: Database | None = None) -> FastAPI:
    """Opens nothing until it is started; a `database` passed in stays the caller's to close."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        opened = database or open_database(settings)
        try:
            migration.prepare(opened)
            renew_grants(opened, settings.grants)
            ensure_admin(opened, settings.user)
            services = Services(settings, opened, open_blobs(settings))
            services.begin()
            app.state.services = services
            try:
                yield
            finally:
                await services.end()
        finally:
            if database is None:
                opened.close()

    app = FastAPI(
        title="robot-rl",
        version="1",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url="/api/openapi.json",
        separate_input_output_schemas=False,
    )
    for module in ROUTERS:
        app.include_router(module.router)
    app.include_router(live.router)
    openapi.install(app)
    console.mount(app, settings.console)
    answer_problems(app)
    app.add_middleware(Perimeter, settings=settings)
    return app
