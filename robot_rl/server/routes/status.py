"""Is the server up, and which robots does it know?"""

from robot_rl.schema.live.client_update import RobotPresence
from robot_rl.schema.message import PROTOCOL_VERSION, Message
from robot_rl.server.routes.callers import Caller, WithServices
from robot_rl.server.routes.guarded import guarded_router

router = guarded_router(prefix="/api", tag="status")


class Health(Message):
    protocol: int


class RobotList(Message):
    robots: tuple[RobotPresence, ...]


@router.get("/health")
async def get_health() -> Health:
    """Answers as soon as the server takes requests; needs no sign-in."""
    return Health(protocol=PROTOCOL_VERSION)


@router.get("/robots")
async def get_robots(services: WithServices, _: Caller) -> RobotList:
    """Robots that have connected since the server started, and whether they are there now."""
    return RobotList(robots=services.hub.presences())
