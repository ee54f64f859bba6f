"""Tokens of robots, learners and scripts, for an admin."""

from uuid import UUID

from starlette.concurrency import run_in_threadpool

from robot_rl.schema.message import Message
from robot_rl.server.accounts import tokens
from robot_rl.server.accounts.tokens import MadeToken, NewToken, Token
from robot_rl.server.routes.callers import Caller, WithServices
from robot_rl.server.routes.guarded import guarded_router

router = guarded_router(prefix="/api/tokens", tag="tokens")


class TokenList(Message):
    """Those in use first, newest first."""

    tokens: tuple[Token, ...]


@router.get("")
def get_tokens(services: WithServices, _: Caller) -> TokenList:
    return TokenList(tokens=tokens.listed(services.database))


@router.post("", status_code=201)
def post_token(wanted: NewToken, services: WithServices, caller: Caller) -> MadeToken:
    """The secret is in this answer and nowhere else."""
    return tokens.make(services.database, wanted, by=caller.name)


@router.delete("/{token_id}", status_code=204)
async def delete_token(token_id: UUID, services: WithServices, caller: Caller) -> None:
    """Whoever uses it is refused at once, and so is what was signed in with it."""
    await run_in_threadpool(lambda: tokens.revoke(services.database, token_id, by=caller.name))
    services.gate.forget()
