"""Dependencies of the routes: the services, and the caller, who has a right to the route."""

from typing import Annotated

from fastapi import Depends, Request

from robot_rl.server.access import Principal
from robot_rl.server.accounts import roles
from robot_rl.server.services import Services


async def _services(request: Request) -> Services:
    return request.app.state.services


type WithServices = Annotated[Services, Depends(_services)]


async def _caller(request: Request) -> Principal:
    """Raises AccessRefused."""
    services: Services = request.app.state.services
    principal = await services.gate.admit(request)
    roles.check(principal.role, request.method, request.scope["route"].path)
    return principal


type Caller = Annotated[Principal, Depends(_caller)]
