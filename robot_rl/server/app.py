"""The application: routes, live hub, console."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from robot_rl.server import console, live, migration, openapi
from robot_rl.server.access import AccessRefused, renew_grants
from robot_rl.server.blobs import BlobMissing, FolderBlobs
from robot_rl.server.database import Database, open_database
from robot_rl.server.episode import EpisodeMissing
from robot_rl.server.feed import FeedBehind
from robot_rl.server.labels import BadLabel
from robot_rl.server.policies import BadPolicy
from robot_rl.server.recording import BadBatch
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
)
from robot_rl.server.services import Services
from robot_rl.server.settings import ServerSettings

ROUTERS = (ingest, feed, policies, learner, episodes, figures, audit, access, status)


def create_app(settings: ServerSettings, database: Database | None = None) -> FastAPI:
    """Opens nothing until it is started; a `database` passed in stays the caller's to close."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        opened = database or open_database(settings)
        try:
            migration.prepare(opened)
            renew_grants(opened, settings.grants)
            services = Services(settings, opened, FolderBlobs(settings.blob_folder))
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
    _answer_problems(app)
    return app


def _answer_problems(app: FastAPI) -> None:
    """Every refusal is `{"detail": one plain sentence}`."""

    def sentence(status: int, message: str) -> JSONResponse:
        return JSONResponse({"detail": message}, status_code=status)

    @app.exception_handler(AccessRefused)
    async def refused(_: Request, error: AccessRefused) -> JSONResponse:
        return sentence(error.status, error.message)

    @app.exception_handler(BadBatch)
    async def bad_batch(_: Request, error: BadBatch) -> JSONResponse:
        return sentence(422, str(error))

    @app.exception_handler(BadPolicy)
    async def bad_policy(_: Request, error: BadPolicy) -> JSONResponse:
        return sentence(422, str(error))

    @app.exception_handler(BadLabel)
    async def bad_label(_: Request, error: BadLabel) -> JSONResponse:
        return sentence(422, str(error))

    @app.exception_handler(FeedBehind)
    async def feed_behind(_: Request, error: FeedBehind) -> JSONResponse:
        return sentence(409, str(error))

    @app.exception_handler(BlobMissing)
    @app.exception_handler(EpisodeMissing)
    async def missing(_: Request, error: BlobMissing | EpisodeMissing) -> JSONResponse:
        return sentence(404, str(error))

    @app.exception_handler(RequestValidationError)
    async def bad_request(_: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        return sentence(422, f"{where}: {first['msg']}")

    @app.exception_handler(OperationalError)
    @app.exception_handler(PoolTimeout)
    async def no_database(_: Request, __: Exception) -> JSONResponse:
        return sentence(503, "the database cannot be reached at the moment; try again")
