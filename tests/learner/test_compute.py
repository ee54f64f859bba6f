"""Where and how the learner computes: what an update reads back, its shapes, its precision, what
compiling changes, and the sentences for what a machine has not got.
"""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from robot_rl.config.compute import ComputeSection
from robot_rl.config.learner import LearnerSection, known_algorithms
from robot_rl.config.task import Task
from robot_rl.errors import BadInput
from robot_rl.learner import device_features
from robot_rl.learner.algorithm import Algorithm, Losses, make_algorithm
from robot_rl.learner.arrangement import arrange
from robot_rl.learner.derived import FEATURES, NEXT_FEATURES
from robot_rl.learner.device import chosen_device
from robot_rl.learner.device_features import DeviceFeatures
from robot_rl.learner.readings import LossReadings
from robot_rl.learner.replay import CPU, Replay
from robot_rl.learner.samplers import Uniform
from robot_rl.learner.settings import Place
from robot_rl.policy.head import Head
from robot_rl.policy.networks import Ensemble, Mlp
from tests.learner.algorithms.reaching import demonstrate, empty
from tests.learner.algorithms.reaching import practise as act
from tests.learner.algorithms.test_hil_serl import SHAPE
from tests.learner.lab import Lab, record_episode
from tests.learner.test_process import same, session, weights, whole

# Those of a head on features; what trains a whole policy has tests of its own.
NAMES = sorted(name for name, kind in known_algorithms().items() if kind.reads_features)
SMALL = {"batch": 16, "width": 16}
SOON = {"critic_warmup_updates": 2, "critics": 3, "return_floor": True}
UPDATES = 6
aten = torch.ops.aten
ASKS = (aten._local_scalar_dense.default, aten.nonzero.default, aten.masked_select.default)


def settings_of(name: str, **compute: Any) -> LearnerSection:
    kind = known_algorithms()[name]
    given: dict[str, Any] = SMALL | {k: v for k, v in SOON.items() if k in kind.model_fields}
    return kind(**given, compute=ComputeSection(**compute))


class Nothing:
    """Acts, and learns nothing."""

    def __init__(self, head: Head) -> None:
        self.head = head

    def update(self, data: Replay, rng: np.random.Generator) -> object:
        del data, rng
        return None


def made(
    name: str, seed: int, backend: str = "", **compute: Any
) -> tuple[Algorithm, Replay, np.random.Generator]:
    """An algorithm, and what it learns from: demonstrations, its own episodes, corrections."""
    settings = settings_of(name, **compute)
    data = empty(settings, capacity=500)
    demonstrate(data, seed, episodes=2)
    torch.manual_seed(seed)
    act(Nothing(Head(SHAPE)), data, seed, episodes=2, helps=0.5)
    torch.manual_seed(seed)
    algorithm = make_algorithm(settings, Head(SHAPE), 0, CPU)
    if backend:
        arrange(algorithm, ComputeSection(compile=True), CPU, backend)
    return algorithm, data, np.random.default_rng(seed)


class HostReads(TorchDispatchMode):
    """Counts what would wait for a GPU: numbers, and shapes that depend on numbers."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__()
        self.seen: list[str] = []
        for name in ("tolist", "cpu", "numpy"):
            monkeypatch.setattr(torch.Tensor, name, self._noted(name))

    def _noted(self, name: str) -> Any:
        inner = getattr(torch.Tensor, name)

        def called(tensor: torch.Tensor, *given: Any, **named: Any) -> Any:
            self.seen.append(name)
            return inner(tensor, *given, **named)

        return called

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Any = None
    ) -> Any:
        masks = func is aten.index.Tensor and any(
            each is not None and each.dtype is torch.bool for each in args[1]
        )
        if func in ASKS or masks:
            self.seen.append(str(func))
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("name", NAMES)
def test_an_update_reads_nothing_back_and_has_one_shape(
    name: str, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    algorithm, data, rng = made(name, seed, fixed_shapes=True)
    assert isinstance(algorithm, nn.Module)
    shapes: dict[str, set[torch.Size]] = {}

    def look(network: str) -> Any:
        return lambda _module, given: shapes.setdefault(network, set()).add(given[0].shape)

    for network, module in algorithm.named_modules():
        if isinstance(module, Mlp | Ensemble):
            module.register_forward_pre_hook(look(network))
    reads = HostReads(monkeypatch)
    with reads:
        for _ in range(UPDATES):
            algorithm.update(data, rng)
    assert reads.seen == []
    assert algorithm.counts.actor > 0
    assert {network for network, each in shapes.items() if len(each) > 1} == set()
    assert {each[0] for seen in shapes.values() for each in seen} == {16}


def test_positive_control_leaving_rows_out_asks_the_device(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    algorithm, data, rng = made("hil_serl", seed)
    reads = HostReads(monkeypatch)
    with reads:
        for _ in range(UPDATES):
            algorithm.update(data, rng)
    assert reads.seen


def difference(left: Algorithm, right: Algorithm) -> float:
    """The greatest of any number in their states."""
    other = right.state()
    return max(
        float((value.double() - other[key].double()).abs().max())
        for key, value in left.state().items()
        if value.numel()
    )


def trained(name: str, seed: int, updates: int, **given: Any) -> tuple[Algorithm, list[Losses]]:
    algorithm, data, rng = made(name, seed, **given)
    return algorithm, [algorithm.update(data, rng) for _ in range(updates)]


@pytest.mark.parametrize("name", ["hil_serl", "silri"])
def test_rows_that_weigh_nothing_are_as_good_as_left_out(name: str, seed: int) -> None:
    left, _ = trained(name, seed, UPDATES)
    fixed, _ = trained(name, seed, UPDATES, fixed_shapes=True)
    assert difference(left, fixed) < 1e-4


# What torch says of its own looking at them while it traces.
TRACED = pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor:UserWarning")


@TRACED
@pytest.mark.parametrize("name", NAMES)
def test_compiled_networks_learn_the_same(name: str, seed: int) -> None:
    """With the backend that needs no C++ compiler: what is traced is the same."""
    eager, said = trained(name, seed, UPDATES, fixed_shapes=True)
    compiled, again = trained(name, seed, UPDATES, fixed_shapes=True, backend="aot_eager")
    assert difference(eager, compiled) < 1e-4
    for one, other in zip(said, again, strict=True):
        assert {k: float(v) for k, v in other.items()} == pytest.approx(
            {k: float(v) for k, v in one.items()}, rel=1e-3, abs=1e-5
        )


@TRACED
@pytest.mark.filterwarnings("ignore:`torch.jit.script:DeprecationWarning")  # inductor's own
@pytest.mark.slow
@pytest.mark.beside
@pytest.mark.timeout(400)
def test_compiled_by_inductor_they_learn_the_same(seed: int) -> None:
    if shutil.which("g++") is None:
        pytest.skip("there is no C++ compiler")
    eager, _ = trained("rlpd", seed, UPDATES, fixed_shapes=True)
    compiled, _ = trained("rlpd", seed, UPDATES, compile=True)
    assert difference(eager, compiled) < 1e-3


@pytest.mark.parametrize("name", NAMES)
def test_in_bfloat16_it_learns_nearly_the_same(name: str, seed: int) -> None:
    """Losses within 5 % and 0.02, actions within 0.05 of full scale after twenty updates."""
    full, said = trained(name, seed, 20, fixed_shapes=True)
    half, again = trained(name, seed, 20, fixed_shapes=True, precision="bfloat16")
    assert any(value.is_floating_point() for value in half.state().values())
    assert all(value.dtype is not torch.bfloat16 for value in half.state().values())
    for value in again[-1].values():
        assert isinstance(value, torch.Tensor)
        assert value.dtype is torch.float32
    first, other = ({k: float(v) for k, v in each[0].items()} for each in (said, again))
    assert other == pytest.approx(first, rel=0.05, abs=0.02)
    seen = torch.rand(64, SHAPE.features) * 2 - 1
    with torch.no_grad():
        apart = (full.head.decision(seen)[0] - half.head.decision(seen)[0]).abs().max()
    assert 0 < float(apart) < 0.05


def test_losses_are_read_together() -> None:
    readings = LossReadings(3)
    assert readings.add(1, {"a": torch.tensor(0.5)}, {}) == ()
    assert readings.add(2, {}, {}) == ()
    read = readings.add(3, {"a": torch.tensor(2.0), "b": 3.0}, {"c": torch.tensor(4.0)})
    assert [(each.update, each.losses, each.measured) for each in read] == [
        (1, {"a": 0.5}, {}),
        (2, {}, {}),
        (3, {"a": 2.0, "b": 3.0}, {"c": 4.0}),
    ]
    assert readings.take() == []


def test_a_learner_that_reads_seldom_learns_the_same(task: Task, tmp_path: Path) -> None:
    lab, states, losses = Lab(), [], []
    record_episode(lab, task, 1, steps=8, human=(2, 3))
    record_episode(lab, task, 2, steps=7)
    for every in (1, 7):
        compute = ComputeSection(read_updates=every)
        wanting = task.model_copy(
            update={"learner": task.learner.model_copy(update={"compute": compute})}
        )
        lab.policies.clear()
        learner = session(lab, wanting, tmp_path / str(every), whole(lab))
        states.append(weights(learner))
        losses.append(lab.progress[-1].losses)
    assert same(*states)
    assert losses[0] == losses[1] != {}


def test_features_on_the_device_are_those_of_the_replay(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While it grows, and while rows are written anew."""
    monkeypatch.setattr(device_features, "LEAST", 4)
    settings = settings_of("rlpd")
    plain, there = empty(settings, capacity=60), empty(settings, capacity=60)
    there.device_features = DeviceFeatures(there.store.column("features"), CPU)
    rngs = [np.random.default_rng(seed) for _ in range(2)]
    for part in range(4):
        batches: list[torch.Tensor] = []
        for data, rng in zip((plain, there), rngs, strict=True):
            demonstrate(data, seed + part, episodes=1)
            torch.manual_seed(seed)
            act(Nothing(Head(SHAPE)), data, seed + part, episodes=2)
            batch = data.sample(32, rng, Uniform(), (FEATURES, NEXT_FEATURES))
            batches.append(torch.stack([batch[FEATURES], batch[NEXT_FEATURES]]))
        assert torch.equal(*batches)


def test_a_device_that_is_not_there_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert chosen_device(ComputeSection()) == CPU
    with pytest.raises(BadInput, match=r'there is no GPU that torch .* name device = "cpu"'):
        chosen_device(ComputeSection(device="cuda"))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _device: (7, 5))
    assert chosen_device(ComputeSection(), Place(local_rank=1)) == torch.device("cuda:1")
    with pytest.raises(BadInput, match=r"there is no cuda:3: this machine has 2 GPUs"):
        chosen_device(ComputeSection(device="cuda:3"))
    with pytest.raises(BadInput, match=r"cuda:0 has no bfloat16 \(compute capability 7\.5"):
        chosen_device(ComputeSection(precision="bfloat16"))


def test_a_numbered_gpu_is_for_one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _device: (8, 0))
    numbered = ComputeSection(device="cuda:1")
    assert chosen_device(numbered) == torch.device("cuda:1")
    for local_rank in range(2):
        place = Place(rank=local_rank, processes=2, local_rank=local_rank)
        assert chosen_device(ComputeSection(), place) == torch.device(f"cuda:{local_rank}")
        with pytest.raises(BadInput, match=r"cuda:1 .* one GPU for all 2 processes: .* \"cuda\""):
            chosen_device(numbered, place)


def test_compiling_without_a_compiler_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _name: None)
    with pytest.raises(BadInput, match=r"needs a C\+\+ compiler .* compile = false"):
        arrange(nn.Linear(1, 1), ComputeSection(compile=True), CPU)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
@pytest.mark.parametrize("name", NAMES)
def test_on_a_gpu_nothing_waits_for_it(name: str, seed: int) -> None:
    settings, device = settings_of(name), torch.device("cuda:0")
    data = Replay(empty(settings).task, SHAPE.features, capacity=500, device=device)
    demonstrate(data, seed, episodes=2)
    algorithm = make_algorithm(settings, Head(SHAPE), 0, device)
    rng = np.random.default_rng(seed)
    for _ in range(UPDATES):
        algorithm.update(data, rng)
    torch.cuda.set_sync_debug_mode("error")
    try:
        for _ in range(UPDATES):
            algorithm.update(data, rng)
    finally:
        torch.cuda.set_sync_debug_mode("default")
