"""Dependencies of the routes: the services, and the caller with the roles that a route allows."""

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Depends, Request

from robot_rl.errors import AccessRefused
from robot_rl.server.access import (
    DRIVERS,
    ENGINEERS,
    EVERYONE,
    Principal,
    Role,
)
from robot_rl.server.services import Services


async def _services(request: Request) -> Services:
    return request.app.state.services


type WithServices = Annotated[Services, Depends(_services)]


def _caller(roles: frozenset[Role]) -> Callable[[Request], Awaitable[Principal]]:
    async def identify(request: Request) -> Principal:
        services: Services = request.app.state.services
        principal = await services.gate.admit(request)
        if principal.role not in roles:
            raise AccessRefused(f"a {principal.role} may not {request.method} {request.url.path}")
        return principal

    return identify


type Anyone = Annotated[Principal, Depends(_caller(EVERYONE))]
type Driver = Annotated[Principal, Depends(_caller(DRIVERS))]
type Engineer = Annotated[Principal, Depends(_caller(ENGINEERS))]
type Robot = Annotated[Principal, Depends(_caller(frozenset({Role.ROBOT})))]
type Learner = Annotated[Principal, Depends(_caller(frozenset({Role.LEARNER, Role.ADMIN})))]
