"""One of two processes of a learner, for tests/learner/test_team.py:
`python -m tests.learner.team_process MODE RANK FOLDER`, where to meet in the environment.
"""

import json
import os
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch.distributed import ProcessGroup

from robot_rl.config.document import load_task
from robot_rl.config.task import StartingPolicy
from robot_rl.errors import PlainError
from robot_rl.learner import team
from robot_rl.learner.algorithm import Algorithm, Losses
from robot_rl.learner.feed import ServerClient
from robot_rl.learner.process import learn
from robot_rl.learner.replay import CPU
from robot_rl.learner.settings import LearnerSettings, Place
from robot_rl.learner.team import Alone, Team
from robot_rl.policy.starting import write_untrained
from tests.learner.lab import Lab, record_episode
from tests.learner.test_compute import NAMES, SHAPE, made

OFFLINE, UPDATES, SEED = 2, 5, 11
DIES_AFTER = 6  # batches
type Said = list[dict[str, float]]


def train(name: str, team_: Alone) -> tuple[Algorithm, Said]:
    """A few updates offline, where the algorithm has them, and a few online."""
    algorithm, data, rng = made(name, SEED, fixed_shapes=True)
    team_.join(algorithm)
    team_.begin(algorithm, data.task.learner, 0, SHAPE)
    said: list[Losses] = []
    offline = algorithm.offline(team_.data(data, offline=True), rng)
    for _ in range(OFFLINE):
        losses = next(offline, None)
        if losses is not None:
            said.append(team_.averaged(losses))
    for _ in range(UPDATES):
        said.append(team_.averaged(algorithm.update(team_.data(data), rng)))
    return algorithm, [{key: float(value) for key, value in each.items()} for each in said]


def save_state(state: Mapping[str, torch.Tensor], path: Path) -> None:
    save_file({key: value.detach().contiguous() for key, value in state.items()}, path)


def train_all(rank: int, folder: Path, orders: ProcessGroup) -> None:
    for name in NAMES:
        if rank:
            algorithm = team.follow(CPU, orders)
            assert algorithm is not None
        else:
            first = Team(orders)
            algorithm, said = train(name, first)
            first.end()
            (folder / f"{name}.json").write_text(json.dumps(said))
        save_state(algorithm.state(), folder / f"{name}.{rank}.safetensors")


def dying(after: int) -> Callable[[], None]:
    """Called for each batch: ends this process as a kill does."""
    seen = 0

    def count() -> None:
        nonlocal seen
        seen += 1
        if seen == after:
            os._exit(9)

    return count


def learn_until_one_dies(rank: int, folder: Path, dies: int, orders: ProcessGroup) -> None:
    """A whole learner; rank `dies` ends itself in the middle of an update."""
    if rank == dies:
        count, average = dying(DIES_AFTER), team._average

        def averaging(*given: object) -> None:
            count()
            average(*given)  # pyright: ignore[reportArgumentType]

        team._average = averaging
    if rank:
        team.follow(CPU, orders)
        return
    plain = load_task("lift_cube")
    small = {"batch": 16, "width": 16, "start_steps": 4, "replay_steps": 1000}
    task = plain.model_copy(
        update={
            "learner": plain.learner.model_copy(update=small),
            "policy": StartingPolicy(folder=str(folder / "start")),
        }
    )
    write_untrained(folder / "start", task, seed=1)
    lab, stop = Lab(), threading.Event()
    for seed in range(4):
        record_episode(lab, task, seed, steps=8, human=(2, 3))
    client = ServerClient(
        "http://lab", "secret", stop, say=lambda _text: None, transport=lab.transport()
    )
    settings = LearnerSettings(
        task=task,
        server_url="http://lab",
        token="secret",
        data_folder=folder,
        lockstep=True,
        place=Place(rank=rank, processes=2),
    )
    learn(settings, client, stop, Team(orders))


def main() -> int:
    mode, rank, folder = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
    torch.set_num_threads(1)
    try:
        orders = team.join(Place(rank=rank, processes=2), 16, CPU)
        if mode == "train":
            train_all(rank, folder, orders)
        else:
            learn_until_one_dies(rank, folder, int(mode), orders)
        team.leave()
    except PlainError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
