"""People, for an admin: who may sign in, and as what."""

from starlette.concurrency import run_in_threadpool

from robot_rl.errors import BadInput
from robot_rl.schema.message import Message, Name
from robot_rl.server import audit
from robot_rl.server.access import Principal
from robot_rl.server.accounts import sessions, users
from robot_rl.server.accounts.roles import Role
from robot_rl.server.accounts.sessions import Maker
from robot_rl.server.accounts.users import User
from robot_rl.server.routes.access import LoginUrl, Password
from robot_rl.server.routes.callers import Caller, WithServices
from robot_rl.server.routes.guarded import guarded_router
from robot_rl.server.services import Services

router = guarded_router(prefix="/api/users", tag="users")


class UserList(Message):
    """By name."""

    users: tuple[User, ...]


class NewUser(Message):
    """Without a password the person signs in by one-time links."""

    name: Name
    role: Role
    password: Password | None = None


class UserChange(Message):
    """What is left out stays."""

    role: Role | None = None
    password: Password | None = None


@router.get("")
def get_users(services: WithServices, _: Caller) -> UserList:
    return UserList(users=users.listed(services.database))


@router.post("", status_code=201)
def post_user(wanted: NewUser, services: WithServices, caller: Caller) -> User:
    """409: there is one of this name."""
    return users.add(services.database, wanted.name, wanted.role, wanted.password, by=caller.name)


@router.patch("/{name}")
async def patch_user(name: str, wanted: UserChange, services: WithServices, caller: Caller) -> User:
    """A new role holds at once; a new password ends the person's sessions. 409: the last admin."""
    if wanted.role is None and wanted.password is None:
        raise BadInput("nothing was to be changed: give a role, a password or both")

    def change() -> User:
        if wanted.role is not None:
            users.set_role(services.database, name, wanted.role, by=caller.name)
        if wanted.password is not None:
            staying = caller.session_sha256 if caller.account == name else None
            users.set_password(
                services.database, name, wanted.password, by=caller.name, staying=staying
            )
        return users.get(services.database, name)

    changed = await run_in_threadpool(change)
    services.gate.forget()
    return changed


@router.delete("/{name}", status_code=204)
async def delete_user(name: str, services: WithServices, caller: Caller) -> None:
    """Ends the person's sessions; what they said stays. 409: the last admin."""
    await run_in_threadpool(lambda: users.remove(services.database, name, by=caller.name))
    services.gate.forget()


@router.post("/{name}/login-links")
def post_link(name: str, services: WithServices, caller: Caller) -> LoginUrl:
    """A link to hand over: it signs one browser in as that person, once."""
    return _link(services, users.get(services.database, name), caller)


@router.post("/{name}/password-resets")
async def post_reset(name: str, services: WithServices, caller: Caller) -> LoginUrl:
    """For who has forgotten it: the password is gone, the sessions end, and the link lets the
    person choose a new one.
    """

    def reset() -> LoginUrl:
        found = users.reset_password(services.database, name, by=caller.name)
        return _link(services, found, caller)

    link = await run_in_threadpool(reset)
    services.gate.forget()
    return link


def _link(services: Services, person: User, caller: Principal) -> LoginUrl:
    maker = Maker(account=person.name)
    url = sessions.issue_login(services.database, services.settings.origin, maker)
    with services.database.transaction() as connection:
        audit.note(connection, caller.name, "login_link.issue", person.name)
    return LoginUrl(url=url)
