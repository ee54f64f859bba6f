"""What waits for a robot: nobody's pile is in anybody else's way."""

import asyncio

from robot_rl.schema.live.client_message import Pause, Stop
from robot_rl.schema.live.robot_command import FromClient
from robot_rl.schema.message import Message, new_id
from robot_rl.server.access import Principal, Role
from robot_rl.server.hub import CLIENT_QUEUE_LIMIT, Client, Hub
from tests.server.live_sockets import COMMAND, hello
from tests.server.recordings import ROBOT


def test_a_client_that_fills_its_queue_takes_nobody_elses_place() -> None:
    hub = Hub()
    link = hub.join_robot(hello())

    def client(name: str) -> Client:
        principal = Principal(name=name, role=Role.OPERATOR)
        return hub.join_client(ROBOT, principal, truth=False)

    def send(sender: Client, message: Message) -> None:
        hub.from_client(sender, message)  # type: ignore[arg-type]

    async def received() -> list[tuple[str, str]]:
        found: list[tuple[str, str]] = []
        while len(link.outgoing):
            command = COMMAND.validate_json(await link.outgoing.take())
            if isinstance(command, FromClient):
                found.append((command.user, type(command.message).__name__))
        return found

    rude, ada = client("rude"), client("ada")
    for _ in range(2000):
        send(rude, Pause(request_id=new_id()))
    send(ada, Pause(request_id=new_id()))
    send(ada, Stop(request_id=new_id()))
    came = asyncio.run(received())
    assert came[0] == ("ada", "Stop")
    assert came.count(("ada", "Pause")) == 1
    assert came.count(("rude", "Pause")) == CLIENT_QUEUE_LIMIT
    send(rude, Pause(request_id=new_id()))  # what was taken makes room again
    assert asyncio.run(received()) == [("rude", "Pause")]
