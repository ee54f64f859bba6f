"""A policy server and a robot that asks it, over a real socket."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager

import msgpack
import numpy as np
import pytest
import simplejpeg
from websockets.asyncio.server import ServerConnection

from robot_rl.config import Task, load_task
from robot_rl.policy.images import StoredImages
from robot_rl.policy.interface import BadObservation, Chunk, NoAnswer, Observation
from robot_rl.policy.manifest import BadCheckpoint
from robot_rl.policy.packing import pack, pack_plain, unpack
from robot_rl.policy.remote import RemotePolicy
from robot_rl.policy.remote_robot_rl import RobotRlDialect
from robot_rl.schema.policy_server import (
    TO_SERVER,
    PolicyAnswer,
    PolicyQuestion,
    Serves,
)
from tests.policy.policy_servers import SECRET, Echo, policy_server, rogue_server, serves_of

TASK = load_task("lift_cube")
COLUMNS = TASK.action.size
PATIENCE_S = 20.0
RNG = np.random.default_rng


def seen(t_ns: int = 5, **changes: object) -> Observation:
    jpeg = simplejpeg.encode_jpeg(np.full((16, 16, 3), 90, np.uint8), 90)
    jpegs = dict.fromkeys(TASK.cameras, jpeg)
    fields = {
        "images": StoredImages(jpegs),
        "jpegs": jpegs,
        "state": np.array([0.25, 1.0]),
        "state_names": ("gripper_m", "unasked"),
        "instruction": "lift it",
        "t_ns": t_ns,
    }
    return Observation(**{**fields, **changes})


@contextmanager
def asking(
    port: int, *, task: Task = TASK, token: str = SECRET, timeout_s: float = 5.0
) -> Iterator[RemotePolicy]:
    address = f"ws://127.0.0.1:{port}"
    policy = RemotePolicy(address, RobotRlDialect(task, token), timeout_s)
    try:
        yield policy
    finally:
        policy.close()


def eventually(policy: RemotePolicy) -> Chunk:
    """Its answer, once it has reconnected."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            return policy.act(seen(), RNG(0))
        except NoAnswer:
            assert time.monotonic() < deadline
            time.sleep(0.02)


def test_what_the_robot_saw_arrives_as_it_was_and_the_chunk_comes_back() -> None:
    echo = Echo(COLUMNS)
    with policy_server(echo, serves_of(TASK)) as port, asking(port) as policy:
        sent = seen()
        chunk = policy.act(sent, RNG(3))
        same = policy.act(sent, RNG(3))
        fixed = [policy.act(sent, RNG(seed), deterministic=True) for seed in (1, 2)]
    got = echo.seen[0]
    assert (got.instruction, got.t_ns) == ("lift it", 5)
    assert dict(got.jpegs) == dict(sent.jpegs)
    assert (got.state_names, got.state.tolist()) == (("gripper_m",), [0.25]), "what is asked for"
    assert chunk.actions.shape == (3, COLUMNS)
    assert (chunk.actions == same.actions).all(), "noise by the caller's generator"
    assert (fixed[0].actions == fixed[1].actions).all()
    assert not (fixed[0].actions == chunk.actions).all()


def test_an_episode_begins_anew_on_the_server() -> None:
    echo = Echo(COLUMNS)
    with policy_server(echo, serves_of(TASK)) as port, asking(port) as policy:
        counts: list[int] = []
        for begins in (True, False, False, True, False):
            if begins:
                policy.reset()
            policy.act(seen(), RNG(0))
            counts.append(echo.resets)
    assert counts == [counts[0], counts[0], counts[0], counts[0] + 1, counts[0] + 1]


def test_a_policy_that_cannot_see_says_so_and_goes_on() -> None:
    echo = Echo(COLUMNS)
    with policy_server(echo, serves_of(TASK)) as port, asking(port) as policy:
        echo.error = BadObservation("no state named height")
        with pytest.raises(BadObservation, match="no state named height"):
            policy.act(seen(), RNG(0))
        with pytest.raises(BadObservation, match="no image of the camera"):
            policy.act(seen(jpegs={}), RNG(0))
        with pytest.raises(BadObservation, match="no state named gripper_m"):
            policy.act(seen(state=np.zeros(0), state_names=()), RNG(0))
        echo.error, echo.value = None, float("nan")
        with pytest.raises(BadObservation, match="cannot be sent: Input should be a finite"):
            policy.act(seen(), RNG(0))
        echo.value = 0.5
        assert policy.act(seen(), RNG(0)).actions.max() == 0.5


def test_what_the_policys_code_raises_ends_the_server_and_not_the_robot() -> None:
    echo = Echo(COLUMNS)
    echo.error = MemoryError("out of memory")
    with (
        pytest.raises(MemoryError, match="out of memory"),
        policy_server(echo, serves_of(TASK)) as port,
        asking(port) as policy,
        pytest.raises(NoAnswer, match="ended the connection"),
    ):
        policy.act(seen(), RNG(0))


OTHER_STEP = TASK.model_copy(update={"step_s": 0.2})


@pytest.mark.parametrize(
    ("serves", "token", "sentence"),
    [
        (serves_of(TASK), "another token", "refuses the token: set ROBOT_RL_POLICY_TOKEN"),
        (serves_of(TASK, protocol=99), SECRET, "speaks protocol 99 and this robot 1: bring both"),
        (serves_of(OTHER_STEP), SECRET, "does not fit lift_cube: step_s 0.2 → 0.1 .*task file"),
        (serves_of(TASK, cameras=("roof",)), SECRET, "needs the camera roof and the task has"),
        (serves_of(TASK, action=("dx",)), SECRET, "its actions have the columns dx"),
    ],
)
def test_a_server_that_does_not_fit_is_refused_before_the_robot_moves(
    serves: Serves, token: str, sentence: str
) -> None:
    with (
        policy_server(Echo(COLUMNS), serves) as port,
        pytest.raises(BadCheckpoint, match=sentence),
        asking(port, token=token),
    ):
        pass


def test_a_robot_of_another_protocol_is_told_both_versions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("robot_rl.policy.server.POLICY_PROTOCOL", 2)
    with (
        policy_server(Echo(COLUMNS), serves_of(TASK)) as port,
        pytest.raises(BadCheckpoint, match="this robot speaks protocol 1 and the server 2"),
        asking(port),
    ):
        pass


def test_one_robot_at_a_time() -> None:
    with (
        policy_server(Echo(COLUMNS), serves_of(TASK)) as port,
        asking(port) as first,
        asking(port) as second,
    ):
        assert "one robot at a time" in second.away
        first.act(seen(), RNG(0))
        first.close()
        assert len(eventually(second).actions) == 3


class SlowToForget(Echo):
    """Its first reset takes until `go_on` is set."""

    def __init__(self, columns: int) -> None:
        super().__init__(columns)
        self.forgets, self.go_on = threading.Event(), threading.Event()

    def reset(self) -> None:
        self.forgets.set()
        assert self.go_on.wait(PATIENCE_S)
        super().reset()


def test_a_robot_that_comes_while_another_is_greeted_is_not_served() -> None:
    echo = SlowToForget(COLUMNS)
    with (
        policy_server(echo, serves_of(TASK)) as port,
        ThreadPoolExecutor(1) as beside,
        ExitStack() as robots,
    ):
        first = beside.submit(robots.enter_context, asking(port))
        assert echo.forgets.wait(PATIENCE_S)
        second = robots.enter_context(asking(port))
        echo.go_on.set()
        assert "one robot at a time" in second.away
        assert len(first.result(PATIENCE_S).act(seen(), RNG(0)).actions) == 3


def test_it_starts_without_a_server_holds_and_finds_it_later() -> None:
    with policy_server(Echo(COLUMNS), serves_of(TASK)) as port:
        pass  # a port that nobody listens on
    with asking(port) as policy:
        assert "no connection" in policy.away
        with pytest.raises(NoAnswer, match=r"no connection to ws://127\.0\.0\.1"):
            policy.act(seen(), RNG(0))
        with policy_server(Echo(COLUMNS), serves_of(TASK), port=port):
            assert len(eventually(policy).actions) == 3


def test_a_server_that_comes_back_with_another_policy_is_not_followed() -> None:
    with ExitStack() as robots:
        with policy_server(Echo(COLUMNS), serves_of(TASK)) as port:
            policy = robots.enter_context(asking(port))
        robots.enter_context(
            policy_server(Echo(COLUMNS), serves_of(TASK, sha256="1" * 64), port=port)
        )
        deadline = time.monotonic() + PATIENCE_S
        while "serves another policy" not in policy.away and time.monotonic() < deadline:
            time.sleep(0.02)
        with pytest.raises(NoAnswer, match=r"serves another policy .*start the daemon anew"):
            policy.act(seen(), RNG(0))


def test_closing_answers_whoever_waits_at_once() -> None:
    async def silent(socket: ServerConnection) -> None:
        await socket.recv()
        await socket.send(pack(serves_of(TASK)))
        await socket.wait_closed()

    with rogue_server(silent) as port, asking(port, timeout_s=10.0) as policy:
        said: list[str] = []

        def ask() -> None:
            try:
                policy.act(seen(), RNG(0))
            except NoAnswer as error:
                said.append(str(error))

        thread = threading.Thread(target=ask)
        thread.start()
        time.sleep(0.1)
        policy.close()
        thread.join(5)
        assert said == ["the connection to the policy server was closed"]
        with pytest.raises(NoAnswer, match="was closed"):
            policy.act(seen(), RNG(0))


# --- What a server may do wrong ------------------------------------------------------------------


def answer(question: PolicyQuestion, actions: object, **changes: object) -> bytes:
    fields = {"kind": "answer", "number": question.number, "actions": actions, "took_s": 0.1}
    return pack_plain({**fields, **changes})


ROW = [0.0] * COLUMNS
type Wrong = Callable[[PolicyQuestion], bytes | str]
WRONG: dict[str, tuple[Wrong, str]] = {
    "another shape": (lambda q: answer(q, [[0.0] * 6]), r"shape \(1, 6\), and \(steps, 7\)"),
    "ragged": (lambda q: answer(q, [ROW, ROW[:3]]), "not rows of numbers of one length"),
    "nothing": (lambda q: answer(q, []), "at least 1 item"),
    "no number": (lambda q: answer(q, [[float("nan"), *ROW[1:]]]), "finite number"),
    "infinite": (lambda q: answer(q, [[float("-inf"), *ROW[1:]]]), "finite number"),
    "too far": (lambda q: answer(q, [[37.5, *ROW[1:]]]), "is 37.5, and −1 … 1 is allowed"),
    "text in it": (lambda q: answer(q, [["left", *ROW[1:]]]), "unable to parse string"),
    "too many": (lambda q: answer(q, [ROW] * 1001), "at most 1000 items"),
    "a stranger's field": (lambda q: answer(q, [ROW], trust=True), "Extra inputs"),
    "truncated": (lambda q: answer(q, [ROW])[:-9], "not MessagePack"),
    "too large": (lambda q: b"\x00" * (2**20 + 1), "longer than 1048576 bytes"),
    "text": (lambda q: "Traceback (most recent call last)", "it is text"),
    "nested": (lambda q: b"\x91" * 5000 + b"\xc0", "not MessagePack"),
    "a huge array": (lambda q: b"\xdd\xff\xff\xff\xff", "exceeds max_array_len"),
    "to another question": (lambda q: answer(q, [ROW], number=77), "answers question 77, and 1"),
    "an extension": (lambda q: pack_plain(msgpack.ExtType(1, b"code")), "not MessagePack"),
}


@pytest.mark.parametrize(("wrong", "sentence"), WRONG.values(), ids=WRONG)
def test_an_answer_that_cannot_be_used_is_none_and_the_next_connection_answers(
    wrong: Wrong, sentence: str
) -> None:
    connections = 0

    async def once_wrong(socket: ServerConnection) -> None:
        nonlocal connections
        connections += 1
        mine = connections
        await socket.recv()
        await socket.send(pack(serves_of(TASK)))
        async for data in socket:
            question = unpack(data, TO_SERVER)
            assert isinstance(question, PolicyQuestion)
            said = PolicyAnswer(number=question.number, actions=(tuple(ROW),), took_s=0.1)
            await socket.send(wrong(question) if mine == 1 else pack(said))

    with rogue_server(once_wrong) as port, asking(port) as policy:
        with pytest.raises(NoAnswer, match=sentence):
            policy.act(seen(), RNG(0))
        assert eventually(policy).actions.tolist() == [ROW]
    assert connections == 2


def test_a_slow_drip_is_late_and_what_was_asked_before_is_never_answered_later() -> None:
    """The first answer comes in pieces, for ever; on the next connection the answers are right."""
    asked: list[int] = []
    connections = 0

    async def dripping(socket: ServerConnection) -> None:
        nonlocal connections
        connections += 1
        mine = connections
        await socket.recv()
        await socket.send(pack(serves_of(TASK)))
        async for data in socket:
            question = unpack(data, TO_SERVER)
            assert isinstance(question, PolicyQuestion)
            asked.append(question.number)
            whole = answer(question, [[question.number / 100, *ROW[1:]]])
            await socket.send(drops(whole) if mine == 1 else whole)

    async def drops(whole: bytes):
        for place in range(len(whole)):
            yield whole[place : place + 1]
            await asyncio.sleep(0.3)

    with rogue_server(dripping) as port, asking(port, timeout_s=0.4) as policy:
        with pytest.raises(NoAnswer, match=r"took longer than 0.4 s.*server_timeout_s"):
            policy.act(seen(), RNG(0))
        chunk = eventually(policy)
    assert chunk.actions[0, 0] == asked[-1] / 100 > 0.01


@pytest.mark.parametrize("greeting", [b"\xc1", "hello", pack_plain({"kind": "answer"}), b"\x80"])
def test_what_does_not_say_what_it_serves_is_refused(greeting: bytes | str) -> None:
    async def stranger(socket: ServerConnection) -> None:
        await socket.send(greeting)
        await socket.wait_closed()

    with (
        rogue_server(stranger) as port,
        pytest.raises(BadCheckpoint, match=r"does not say what it serves: .*another kind"),
        asking(port),
    ):
        pass
