"""Is the server up, and which robots does it know?"""

from robot_rl.errors import Unavailable
from robot_rl.schema.live.client_update import RobotPresence
from robot_rl.schema.message import PROTOCOL_VERSION, Message
from robot_rl.server.routes.callers import Caller, WithServices
from robot_rl.server.routes.guarded import guarded_router

router = guarded_router(prefix="/api", tag="status")


class Health(Message):
    """live: the server takes requests, and robots can be stopped. ready: its database answers.
    problem: one sentence; empty when it is ready.
    """

    protocol: int
    live: bool = True
    ready: bool
    problem: str


class RobotList(Message):
    robots: tuple[RobotPresence, ...]


@router.get("/health")
async def get_health(services: WithServices) -> Health:
    """Answers as soon as the server takes requests; needs no sign-in."""
    problem = services.database_watch.problem
    return Health(protocol=PROTOCOL_VERSION, ready=not problem, problem=problem)


@router.get("/health/ready")
async def get_ready(services: WithServices) -> Health:
    """As `/api/health`, but 503 while the database is away: for load balancers."""
    health = await get_health(services)
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
