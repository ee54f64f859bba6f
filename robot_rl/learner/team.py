"""Several processes that train one policy (torchrun): each takes its part of every batch.

The first process alone has feed, replay, state file and server. It draws each batch, sends each
process its part of the rows, and all make the same update on their parts: gradients are averaged
before every step of an optimizer, and noise is drawn for the whole batch everywhere, so that the
weights stay the same in all of them, and are those of one process up to the order of sums.

  first → all     begin: settings, head and state of the algorithm | batch | alive | end
  all ↔ all       gradients and losses of each update

Orders go over gloo, tensors over gloo or, between GPUs, nccl. Nothing here reads a tensor back.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Literal, Protocol, cast, runtime_checkable

import numpy as np
import torch
from pydantic import TypeAdapter
from safetensors.torch import load, save
from torch import distributed

from robot_rl.config.learner import LearnerSection, learner_section
from robot_rl.errors import BadInput, Unavailable
from robot_rl.learner.algorithm import Algorithm, Losses, make_algorithm
from robot_rl.learner.derived import BatchColumn
from robot_rl.learner.replay import Batch, Replay
from robot_rl.learner.samplers import Sampler
from robot_rl.learner.settings import Place
from robot_rl.learner.share import processes
from robot_rl.policy.head import HeadSettings
from robot_rl.policy.heads import AnyHead, new_head
from robot_rl.schema.message import Message

FIRST = 0
# Of orders: the first process may wait for its server for hours. One that has ended is noticed at
# once, by its closed connection, and a machine that is gone by torchrun.
_SILENT = timedelta(days=1)
# Of tensors, which all bring once they have heard the order: to compile networks takes a minute.
_COMPUTING = timedelta(minutes=10)


class TeamLost(Unavailable):
    """Another process of this learner has ended."""


class BeginOrder(Message):
    """What all are to have from now on; the algorithm's state follows as one safetensors file."""

    kind: Literal["begin"] = "begin"
    settings: str  # of the algorithm, as JSON
    seed: int
    head: HeadSettings  # that it started with
    updates: int
    critic: int
    actor: int


class PartOrder(Message):
    """A batch; its columns follow, one after the other."""

    kind: Literal["batch"] = "batch"
    offline: bool
    received: int
    views: dict[str, int]  # sizes of the replay's sets of rows
    shown: int | None  # rows of the whole batch that a person showed
    columns: tuple[tuple[str, tuple[int, ...]], ...]  # dtype and shape of this part of each


class AliveOrder(Message):
    kind: Literal["alive"] = "alive"


class EndOrder(Message):
    kind: Literal["end"] = "end"


type Order = BeginOrder | PartOrder | AliveOrder | EndOrder

_ORDER: TypeAdapter[Order] = TypeAdapter(Order)
_VIEWS = ("online", "demonstrated", "demonstrations", "accepted")
_DTYPES = {
    str(each): each
    for each in (torch.float32, torch.float64, torch.int8, torch.int32, torch.int64, torch.bool)
}


@runtime_checkable
class _Optimized(Protocol):
    optimizers: Mapping[str, torch.optim.Optimizer]


# ---- the group ----------------------------------------------------------------------------------


def join(place: Place, batch: int, device: torch.device) -> distributed.ProcessGroup:
    """Meet the other processes, at the address that torchrun gave. Returns the group that orders
    go through. Raises BadInput, TeamLost.
    """
    if batch % place.processes:
        raise BadInput(
            f"learner.batch is {batch}, which {place.processes} processes cannot divide into equal "
            "parts: start another number of processes (torchrun --nproc-per-node), or change batch "
            "in the task file"
        )
    backend = "cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo"
    if device.type == "cuda":
        torch.cuda.set_device(device)
    with _together():
        distributed.init_process_group(
            backend, rank=place.rank, world_size=place.processes, timeout=_COMPUTING
        )
        orders = distributed.new_group(backend="gloo", timeout=_SILENT)
    return cast("distributed.ProcessGroup", orders)  # every process is a member of it


def leave() -> None:
    distributed.destroy_process_group()


@contextmanager
def _together() -> Iterator[None]:
    """Raises TeamLost in place of what torch says when one of the others is not there."""
    try:
        yield
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[0]
        raise TeamLost(
            "another process of this learner has ended or cannot be reached; what the first one "
            f"saved before stays valid: start them all again with torchrun ({reason})"
        ) from error


def _average(values: Sequence[torch.Tensor]) -> None:
    """In place, over all processes, in one message."""
    if not values:
        return
    flat = torch.cat([each.detach().reshape(-1) for each in values])
    with _together():
        distributed.all_reduce(flat)
    flat /= processes()
    for value, mean in zip(values, flat.split([each.numel() for each in values]), strict=True):
        value.detach().copy_(mean.view_as(value))


def _average_gradients(optimizer: torch.optim.Optimizer, *_of_step: object) -> None:
    parameters = [each for group in optimizer.param_groups for each in group["params"]]
    _average([each.grad for each in parameters if each.grad is not None])


def averaged(losses: Losses) -> Losses:
    """Of an update that all have made: each has the losses of its part."""
    means = {name: each for name, each in losses.items() if isinstance(each, torch.Tensor)}
    stacked = [each.detach().float().clone() for each in means.values()]
    _average(stacked)
    return {**losses, **dict(zip(means, stacked, strict=True))}


def _average_in(algorithm: Algorithm) -> None:
    if not isinstance(algorithm, _Optimized):
        raise BadInput(
            f"the algorithm {type(algorithm).__name__} has no `optimizers` whose gradients could "
            "be averaged: start it in one process, without torchrun"
        )
    for optimizer in algorithm.optimizers.values():
        optimizer.register_step_pre_hook(_average_gradients)


# ---- orders -------------------------------------------------------------------------------------


def _tell(data: bytes, orders: distributed.ProcessGroup) -> None:
    with _together():
        distributed.broadcast(torch.tensor([len(data)]), FIRST, orders)
        values = torch.from_numpy(np.frombuffer(data, np.uint8).copy())
        distributed.broadcast(values, FIRST, orders)


def _hear(orders: distributed.ProcessGroup) -> bytes:
    with _together():
        length = torch.zeros(1, dtype=torch.int64)
        distributed.broadcast(length, FIRST, orders)
        data = torch.empty(int(length), dtype=torch.uint8)
        distributed.broadcast(data, FIRST, orders)
    return data.numpy().tobytes()


def _order(order: Order, orders: distributed.ProcessGroup) -> None:
    _tell(order.model_dump_json().encode(), orders)


# ---- the first process --------------------------------------------------------------------------


class Alone:
    """One process: nothing is divided."""

    def begin(
        self, algorithm: Algorithm, settings: LearnerSection, seed: int, head: HeadSettings
    ) -> None:
        """The others are to go on from this algorithm's state."""

    def join(self, algorithm: Algorithm) -> None:
        """Its gradients are those of all. Raises BadInput."""

    def data(self, replay: Replay, *, offline: bool = False) -> Replay:
        """What the algorithm is to draw its batches from."""
        del offline
        return replay

    def averaged(self, losses: Losses) -> Losses:
        """Of all processes."""
        return losses

    def alive(self) -> None:
        """Notice it when another process has ended. Raises TeamLost."""

    def end(self) -> None:
        """The others are to end."""


class Team(Alone):
    """Of the first process, which tells the others what to do."""

    def __init__(self, orders: distributed.ProcessGroup) -> None:
        self._orders = orders

    def begin(
        self, algorithm: Algorithm, settings: LearnerSection, seed: int, head: HeadSettings
    ) -> None:
        counts = algorithm.counts
        _order(
            BeginOrder(
                settings=settings.model_dump_json(),
                seed=seed,
                head=head,
                updates=counts.updates,
                critic=counts.critic,
                actor=counts.actor,
            ),
            self._orders,
        )
        state = algorithm.state().items()
        data = save({key: value.detach().cpu().contiguous() for key, value in state})
        _tell(data, self._orders)

    def join(self, algorithm: Algorithm) -> None:
        _average_in(algorithm)

    def data(self, replay: Replay, *, offline: bool = False) -> Replay:
        # The part of a replay that an algorithm uses.
        return cast(Replay, _Dividing(replay, self._orders, offline=offline))

    def averaged(self, losses: Losses) -> Losses:
        return averaged(losses)

    def alive(self) -> None:
        _order(AliveOrder(), self._orders)

    def end(self) -> None:
        _order(EndOrder(), self._orders)


class _Dividing:
    """A replay whose batches are divided among the processes."""

    def __init__(self, replay: Replay, orders: distributed.ProcessGroup, *, offline: bool) -> None:
        self._replay, self._orders, self._offline = replay, orders, offline
        self.online, self.demonstrated = replay.online, replay.demonstrated
        self.demonstrations, self.accepted = replay.demonstrations, replay.accepted

    @property
    def received(self) -> int:
        return self._replay.received

    def sample(
        self,
        count: int,
        rng: np.random.Generator,
        sampler: Sampler,
        columns: Iterable[BatchColumn],
    ) -> Batch:
        whole = self._replay.sample(count, rng, sampler, columns)
        parts = {name: each.chunk(processes()) for name, each in whole.columns.items()}
        shapes = tuple((str(each[0].dtype), tuple(each[0].shape)) for each in parts.values())
        views = {name: len(getattr(self, name)) for name in _VIEWS}
        _order(
            PartOrder(
                offline=self._offline,
                received=self.received,
                views=views,
                shown=whole.shown,
                columns=shapes,
            ),
            self._orders,
        )
        own: dict[BatchColumn, torch.Tensor] = {}
        for name, each in parts.items():
            own[name] = torch.empty_like(each[0])
            with _together():
                distributed.scatter(own[name], [part.contiguous() for part in each], FIRST)
        return Batch(columns=own, online=whole.online, shown=whole.shown, parts=processes())


# ---- the others ---------------------------------------------------------------------------------


class _Received:
    """In place of a replay: the part of the batch that was announced last."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self.part = PartOrder(offline=False, received=0, views={}, shown=None, columns=())

    @property
    def received(self) -> int:
        return self.part.received

    @property
    def online(self) -> int:
        return self.part.views["online"]

    @property
    def demonstrated(self) -> int:
        return self.part.views["demonstrated"]

    @property
    def demonstrations(self) -> int:
        return self.part.views["demonstrations"]

    @property
    def accepted(self) -> int:
        return self.part.views["accepted"]

    def sample(
        self,
        count: int,
        rng: np.random.Generator,
        sampler: Sampler,
        columns: Iterable[BatchColumn],
    ) -> Batch:
        del count, rng, sampler  # the first process has drawn it
        own: dict[BatchColumn, torch.Tensor] = {}
        for column, (dtype, shape) in zip(columns, self.part.columns, strict=True):
            own[column] = torch.empty(shape, dtype=_DTYPES[dtype], device=self._device)
            with _together():
                distributed.scatter(own[column], None, FIRST)
        return Batch(columns=own, online=0, shown=self.part.shown, parts=processes())


def follow(device: torch.device, orders: distributed.ProcessGroup) -> Algorithm | None:
    """Train on what the first process sends until it says that it ends; what was trained.

    Raises TeamLost: the first process, or another, has ended.
    """
    part = _Received(device)
    data, rng = cast(Replay, part), np.random.default_rng(0)  # which nothing draws from
    algorithm: Algorithm | None = None
    stage: Iterator[Losses] = iter(())
    while True:
        order = _ORDER.validate_json(_hear(orders))
        match order:
            case BeginOrder():
                algorithm = _begun(order, load(_hear(orders)), device)
                stage = algorithm.offline(data, rng)
            case PartOrder():
                assert algorithm is not None, "a batch comes after the algorithm's state"
                part.part = order
                averaged(next(stage) if order.offline else algorithm.update(data, rng))
            case AliveOrder():
                pass
            case EndOrder():
                return algorithm


def _begun(order: BeginOrder, state: Mapping[str, torch.Tensor], device: torch.device) -> Algorithm:
    settings: LearnerSection = learner_section(json.loads(order.settings))
    head: AnyHead = new_head(order.head)
    algorithm = make_algorithm(settings, head, order.seed, device)
    _average_in(algorithm)
    algorithm.load_state(state)
    counts = algorithm.counts
    counts.updates, counts.critic, counts.actor = order.updates, order.critic, order.actor
    return algorithm
