"""Is the server up, and which robots does it know?"""

import asyncio

from fastapi import Request

from robot_rl.errors import AccessRefused, Unavailable
from robot_rl.schema.live.client_update import RobotPresence
from robot_rl.schema.message import PROTOCOL_VERSION, Message
from robot_rl.server.access import LOOK_UP_S
from robot_rl.server.accounts.roles import ENGINEERS
from robot_rl.server.database import AWAY
from robot_rl.server.routes.callers import Caller, WithServices
from robot_rl.server.routes.guarded import guarded_router
from robot_rl.server.services import Services

router = guarded_router(prefix="/api", tag="status")


NOT_READY = "the server's database cannot be used at the moment: an engineer sees why"


class Health(Message):
    """live: the server takes requests, and robots can be stopped. ready: its database answers.
    problem: one sentence; empty when it is ready. What Postgres says, which names hosts and
    databases, is for engineers.
    """

    protocol: int
    live: bool = True
    ready: bool
    problem: str


class RobotList(Message):
    robots: tuple[RobotPresence, ...]


@router.get("/health")
async def get_health(request: Request, services: WithServices) -> Health:
    """Answers as soon as the server takes requests; needs no sign-in."""
    problem = services.database_watch.problem
    if problem and not await _may_know(services, request):
        problem = NOT_READY
    return Health(protocol=PROTOCOL_VERSION, ready=not problem, problem=problem)


async def _may_know(services: Services, request: Request) -> bool:
    """Soon, also while the database that knows it is away."""
    try:
        async with asyncio.timeout(LOOK_UP_S):
            caller = await services.gate.admit(request)
    except (*AWAY, AccessRefused, Unavailable, TimeoutError):
        return False
    return caller.role in ENGINEERS


@router.get("/health/ready")
async def get_ready(request: Request, services: WithServices) -> Health:
    """As `/api/health`, but 503 while the database is away: for load balancers."""
    health = await get_health(request, services)
    if not health.ready:
        raise Unavailable(health.problem)
    return health


@router.get("/robots")
async def get_robots(services: WithServices, caller: Caller) -> RobotList:
    """Robots that have connected since the server started, and whether they are there now; for a
    token of one task that task's.
    """
    found = services.hub.presences()
    return RobotList(robots=tuple(each for each in found if caller.task in {None, each.task}))
