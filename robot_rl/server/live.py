"""The live WebSockets: thin shells around the hub (top of robot_rl/schema/live/__init__.py)."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from functools import partial
from typing import Any

from fastapi import APIRouter, WebSocket, WebSocketDisconnect
from pydantic import TypeAdapter, ValidationError
from starlette.responses import JSONResponse

from robot_rl.errors import AccessRefused
from robot_rl.schema.live.client_message import ClientMessage
from robot_rl.schema.live.robot_command import LearnerHeard, PolicyAnnounced
from robot_rl.schema.live.robot_message import RobotHello, RobotMessage
from robot_rl.schema.message import PROTOCOL_VERSION
from robot_rl.schema.video import BadVideoFrame, decode_frame
from robot_rl.server import presence
from robot_rl.server.access import Principal
from robot_rl.server.accounts import roles
from robot_rl.server.accounts.tokens import ANY_ROBOT
from robot_rl.server.hub import (
    CLOSE_BAD_FRAME,
    CLOSE_SIGNED_OUT,
    Client,
    RobotLink,
)
from robot_rl.server.mailbox import Mailbox, MailboxClosed
from robot_rl.server.services import Services

HELLO_TIMEOUT_S = 5.0
CLOSE_TIMEOUT_S = 0.5
TEXT_LIMIT = 2**16  # characters of a text frame

router = APIRouter()
_log = logging.getLogger(__name__)
_FROM_ROBOT: TypeAdapter[RobotMessage] = TypeAdapter(RobotMessage)
_FROM_CLIENT: TypeAdapter[ClientMessage] = TypeAdapter(ClientMessage)


class _Hangup(Exception):
    """This side ends the connection."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


async def _admit(socket: WebSocket, *, truth: bool = False) -> Principal | None:
    """Accepts a caller who has a right to the socket; answers 401 or 403 to anybody else."""
    services: Services = socket.app.state.services
    try:
        principal = await services.gate.admit(socket)
        roles.check(principal.role, "WS", socket.scope["route"].path)
        if truth and principal.role not in roles.MAY_SEE_TRUTH:
            raise AccessRefused(f"a {principal.role} may not see the simulator's true state")
    except AccessRefused as refusal:
        await socket.send_denial_response(
            JSONResponse({"detail": str(refusal)}, status_code=refusal.status)
        )
        return None
    await socket.accept()
    return principal


async def _run(
    socket: WebSocket,
    principal: Principal,
    read: Callable[[], Coroutine[Any, Any, None]],
    write: Callable[[], Coroutine[Any, Any, None]],
) -> None:
    """Reads and writes until one of them ends or the caller may no longer stay, then closes
    without waiting for a stuck peer.
    """
    code, reason = 1000, ""
    services: Services = socket.app.state.services
    watch = services.gate.watch(socket, principal)
    tasks = {asyncio.create_task(each) for each in (read(), write(), watch)}
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            error = task.exception()
            if isinstance(error, _Hangup | MailboxClosed):
                code, reason = error.code, error.reason
            elif isinstance(error, AccessRefused):
                code, reason = CLOSE_SIGNED_OUT, str(error)
            elif isinstance(error, WebSocketDisconnect):
                return
            elif error is not None:
                raise error
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    with suppress(TimeoutError, WebSocketDisconnect, RuntimeError):
        async with asyncio.timeout(CLOSE_TIMEOUT_S):
            await socket.close(code, reason[:120])


async def _write[F: (str, bytes)](
    mailbox: Mailbox[F], send: Callable[[F], Awaitable[None]]
) -> None:
    while True:
        await send(await mailbox.take())


# ---- the robot's link ----------------------------------------------------------------------------


@router.websocket("/api/live/robot")
async def robot(socket: WebSocket) -> None:
    principal = await _admit(socket)
    if principal is None:
        return
    services: Services = socket.app.state.services
    try:
        hello = await _hello(socket, principal)
    except _Hangup as hangup:
        await socket.close(hangup.code, hangup.reason[:120])
        return
    except WebSocketDisconnect:
        return
    await presence.robot_seen(services, hello)
    link = services.hub.join_robot(hello)
    try:
        await services.promptly(partial(_brief, services, link))
        await _run(
            socket,
            principal,
            lambda: _read_robot(socket, services, link),
            lambda: _write(link.outgoing, socket.send_text),
        )
    finally:
        services.hub.leave_robot(link)


async def _hello(socket: WebSocket, principal: Principal) -> RobotHello:
    try:
        async with asyncio.timeout(HELLO_TIMEOUT_S):
            message = _FROM_ROBOT.validate_json(await _receive_text(socket))
    except TimeoutError as error:
        raise _Hangup(CLOSE_BAD_FRAME, "the robot did not say hello within 5 s") from error
    except ValidationError as error:
        raise _Hangup(CLOSE_BAD_FRAME, "the first frame is not a robot_hello") from error
    if not isinstance(message, RobotHello):
        raise _Hangup(CLOSE_BAD_FRAME, f"the first frame is a {message.kind}, not a robot_hello")
    if message.protocol != PROTOCOL_VERSION:
        raise _Hangup(
            CLOSE_BAD_FRAME,
            f"the robot speaks protocol {message.protocol}, this server {PROTOCOL_VERSION}",
        )
    if not principal.speaks_for(message.robot):
        raise _Hangup(
            CLOSE_BAD_FRAME,
            f"the token is of {principal.name} and the robot calls itself {message.robot}",
        )
    if principal.task not in {None, message.task}:
        raise _Hangup(
            CLOSE_BAD_FRAME,
            f"the token is of task {principal.task} and the robot's task is {message.task}",
        )
    return message


async def _brief(services: Services, link: RobotLink) -> None:
    """What a robot that was away has missed."""
    policy = await services.wanted_policy(link.hello.task)
    if policy is not None:
        link.outgoing.put_latest(PolicyAnnounced, PolicyAnnounced(policy=policy).model_dump_json())
    status = await services.training_status(link.hello.task)
    services.hub.show_training(link.hello.task, status)
    if status.progress is not None:
        heard = LearnerHeard(progress=status.progress)
        link.outgoing.put_latest(LearnerHeard, heard.model_dump_json())


async def _read_robot(socket: WebSocket, services: Services, link: RobotLink) -> None:
    while True:
        frame = await _receive_text(socket)
        try:
            message = _FROM_ROBOT.validate_json(frame)
        except ValidationError as error:
            raise _Hangup(CLOSE_BAD_FRAME, f"bad frame: {_sentence(error)}") from error
        services.hub.from_robot(link, message, frame)


@router.websocket("/api/live/robot/video")
async def robot_video(socket: WebSocket, robot: str | None = None) -> None:
    """`robot` says whose video it is; with a token of one robot it may be left out."""
    principal = await _admit(socket)
    if principal is None:
        return
    services: Services = socket.app.state.services
    name = robot or principal.name
    if name == ANY_ROBOT or not principal.speaks_for(name):
        reason = f"the token is of {principal.name} and the video of {robot or 'no named robot'}"
        await socket.close(CLOSE_BAD_FRAME, reason[:120])
        return
    task = services.hub.task_of(name)
    if principal.task is not None and task not in {None, principal.task}:
        reason = f"the token is of task {principal.task} and robot {name} works on {task}"
        await socket.close(CLOSE_BAD_FRAME, reason[:120])
        return
    source = services.hub.join_video(name)

    async def read() -> None:
        while True:
            data = await _receive_bytes(socket)
            try:
                camera = decode_frame(data).camera
            except BadVideoFrame as error:
                raise _Hangup(CLOSE_BAD_FRAME, str(error)) from error
            services.hub.video(name, camera, data)

    try:
        await _run(socket, principal, read, lambda: _write(source.outgoing, socket.send_text))
    finally:
        services.hub.leave_video(source)


# ---- clients -------------------------------------------------------------------------------------


@router.websocket("/api/live/robots/{robot}")
async def client(socket: WebSocket, robot: str, truth: bool = False) -> None:
    principal = await _admit(socket, truth=truth)
    if principal is None:
        return
    services: Services = socket.app.state.services
    joined = services.hub.join_client(robot, principal, truth=truth)
    try:
        await presence.client_joined(services, joined)
        await _run(
            socket,
            principal,
            lambda: _read_client(socket, services, joined),
            lambda: _write(joined.outgoing, socket.send_text),
        )
    finally:
        services.hub.leave_client(joined)
        presence.client_left(services, joined)


async def _read_client(socket: WebSocket, services: Services, joined: Client) -> None:
    while True:
        frame = await _receive_text(socket)
        try:
            message = _FROM_CLIENT.validate_json(frame)
        except ValidationError as error:
            services.hub.tell(joined, f"a frame was not understood: {_sentence(error)}")
            continue
        sent = services.hub.from_client(joined, message)
        services.control_audit.heard(joined, message, sent=sent)


@router.websocket("/api/live/robots/{robot}/video")
async def client_video(socket: WebSocket, robot: str) -> None:
    principal = await _admit(socket)
    if principal is None:
        return
    services: Services = socket.app.state.services
    viewer = services.hub.join_viewer(robot)

    async def read() -> None:
        while True:  # a viewer has nothing to say; reading notices that it has gone
            message = await socket.receive()
            if message["type"] == "websocket.disconnect":
                raise WebSocketDisconnect(message.get("code", 1000))

    try:
        await _run(socket, principal, read, lambda: _write(viewer.outgoing, socket.send_bytes))
    finally:
        services.hub.leave_viewer(viewer)


async def _receive_text(socket: WebSocket) -> str:
    """Parsed in the event loop: a longer one would hold up STOP."""
    try:
        frame = await socket.receive_text()
    except KeyError as error:
        raise _Hangup(CLOSE_BAD_FRAME, "this socket takes text frames") from error
    if len(frame) > TEXT_LIMIT:
        raise _Hangup(CLOSE_BAD_FRAME, f"a text frame has at most {TEXT_LIMIT} characters")
    return frame


async def _receive_bytes(socket: WebSocket) -> bytes:
    try:
        return await socket.receive_bytes()
    except KeyError as error:
        raise _Hangup(CLOSE_BAD_FRAME, "this socket takes binary frames") from error


def _sentence(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(str(part) for part in first["loc"]) or "the frame"
    return f"{where}: {first['msg'][0].lower()}{first['msg'][1:]}"
