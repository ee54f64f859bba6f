"""The risk critic: its targets by hand, what it learns, its threshold, what is published."""

from collections.abc import Sequence

import numpy as np
import pytest
import torch

from robot_rl.config.document import load_task
from robot_rl.config.risk import RiskSection
from robot_rl.config.task import Task
from robot_rl.learner.columns import Trajectory
from robot_rl.learner.derived import BOOTSTRAP, COST, DECIDED, FEATURES, NEXT_FEATURES, Floats
from robot_rl.learner.replay import Batch, Replay
from robot_rl.learner.risk.calibration import calibrate, conformal
from robot_rl.learner.risk.learner import RiskLearner, actions_of, draw
from robot_rl.learner.risk.release import LEAST_UNSAFE, RiskRelease
from robot_rl.learner.sac import descend
from robot_rl.policy.head import Head, HeadSettings
from robot_rl.policy.interface import Observation
from robot_rl.policy.networks import Ensemble
from robot_rl.policy.risk_critic import RiskNet
from robot_rl.policy.risk_weights import decode_risk
from robot_rl.schema.episode import Outcome
from robot_rl.schema.message import new_id
from safety.vocabulary import Limit
from tests.learner.test_critics import answer
from tests.learner.test_replay import SIZE, feed, piece

SHAPE = HeadSettings(features=SIZE, size=7, axes=(0, 1, 2), gripper_columns=(6,), width=16)
SECTION = RiskSection(width=16, batch=32)
CPU = torch.device("cpu")


class Backbone:
    """What a robot has loaded."""

    kind, sha256, size, cameras = "keypoint_cnn", "0" * 64, SIZE, ()

    def features(self, observation: Observation) -> Floats:
        raise AssertionError(observation)

    def features_of(self, observations: Sequence[Observation]) -> Floats:
        raise AssertionError(observations)


@pytest.fixture
def task() -> Task:
    return load_task("lift_cube")


@pytest.fixture
def replay(task: Task) -> Replay:
    return Replay(task, SIZE, capacity=1000)


@pytest.fixture
def learner() -> RiskLearner:
    torch.manual_seed(0)  # of the policy, whose actions are in the targets
    head = Head(SHAPE)
    return RiskLearner(SECTION, lambda: head, 0, CPU)


def logit(risk: float) -> list[float]:
    return [float(torch.tensor(risk).logit())]


def dangerous(episode: int, *, at: tuple[int, ...] = (), steps: int = 6) -> Trajectory:
    """An episode whose arm has to brake in the steps `at`."""
    found = piece(episode, 0, steps + 1, last=True, terminated=(steps - 1,))
    limits = found["limits"]
    for index in at:
        limits[index] = int(Limit.BRAKE)
    return found


def judged(
    episode: int, risks: list[float], threshold: float = np.nan, *, task: float = np.inf
) -> Trajectory:
    """An episode in which a critic said these risks; `threshold`: its own, `task`: the task's."""
    found = piece(episode, 0, len(risks) + 1, last=True, terminated=(len(risks) - 1,))
    found["risk"][: len(risks)] = risks
    found["risk_threshold"][: len(risks)] = min(threshold, task)
    found["risk_calibrated"][: len(risks)] = threshold
    return found


def put(replay: Replay, trajectory: Trajectory, outcome: Outcome = Outcome.SUCCESS) -> None:
    episode_id = new_id()
    feed(replay, episode_id, 0, trajectory)
    replay.end(episode_id, outcome, len(trajectory) - 1)


def test_the_target_is_the_cost_and_the_discounted_greater_risk_unless_it_terminated(
    learner: RiskLearner,
) -> None:
    answer(learner.slow.values, [logit(0.2), logit(0.6)])
    batch = Batch(
        columns={
            FEATURES: torch.zeros(3, SIZE),
            NEXT_FEATURES: torch.zeros(3, SIZE),
            DECIDED: torch.zeros(3, 7),
            COST: torch.tensor([1.0, 0.0, 0.0]),
            BOOTSTRAP: torch.tensor([1.0, 1.0, 0.0]),
        },
        online=3,
    )
    assert learner.target(batch).tolist() == pytest.approx([1.0, 0.85 * 0.6, 0.0])
    answer(learner.net.values, [logit(0.5), logit(0.5)])
    weights = torch.tensor([2.0, 0.0, 0.0])
    loss, risk = learner.loss(batch, weights)
    assert loss.item() == pytest.approx(2 * np.log(2) / 3, rel=1e-5), "of the first row alone"
    assert risk.item() == pytest.approx(2 * 0.5 / 3)


def test_rare_steps_are_drawn_often_and_weigh_what_they_are(replay: Replay) -> None:
    for episode in range(20):
        put(replay, dangerous(episode, at=(3,) if episode == 0 else ()))
    assert (len(replay.unsafe), len(replay.online)) == (1, 120)
    rows, weights = draw(replay, 400, np.random.default_rng(0))
    unsafe = replay.store.cost[rows] > 0
    assert unsafe.mean() == pytest.approx(0.25, abs=0.03)
    assert (weights * unsafe).sum() / weights.sum() == pytest.approx(1 / 120, rel=0.2)


def test_it_learns_which_action_is_dangerous_and_forgets_it_with_the_label(
    replay: Replay, learner: RiskLearner
) -> None:
    """The last step of some episodes was unsafe by a person's word: step 5, never step 2."""
    for episode in range(8):
        episode_id = new_id()
        feed(replay, episode_id, 0, dangerous(0))
        replay.end(episode_id, Outcome.FAILURE, 6, "unsafe" if episode % 2 else "missed grasp")
    assert len(replay.unsafe) == 4
    for _ in range(400):
        learner.update(replay)
    rows = replay.online.rows
    index = replay.store.columns["features"][rows][:, 1]
    said = learner.says(replay, rows)
    assert said[index == 5].mean() == pytest.approx(0.5, abs=0.15), "half of them were called so"
    assert said[index == 0].mean() < 0.35 < said[index == 5].mean()


def test_the_recovery_policy_learns_to_go_where_the_risk_is_least(
    replay: Replay, learner: RiskLearner
) -> None:
    """A critic to which only going on along the first axis is dangerous: it goes back."""

    class Forward(RiskNet):
        def forward(self, features: torch.Tensor, action: torch.Tensor) -> torch.Tensor:
            return 4 * action[None, :, 0].expand(2, -1)

    put(replay, dangerous(0, at=(2,)))
    learner.net = Forward(SIZE, 7, 16)
    features = torch.from_numpy(replay.store.columns["features"][replay.online.rows])
    assert bool((learner.recovery(features) == 0).all()), "before it has learned it moves nothing"
    optimizer = torch.optim.Adam(learner.recovery.parameters(), 1e-2)
    for _ in range(100):
        descend(optimizer, learner.recovery_loss(features)[0])
    action = learner.recovery(features)
    assert bool((action[:, 0] < -0.3).all())
    assert action[:, 1:3].abs().max().item() < 0.1, "what changes nothing is left alone"
    assert bool((action[:, 3:] == 0).all()), "it moves no other axis, and orders no gripper"


def test_what_the_recovery_policy_learns_leaves_the_critic_alone(
    replay: Replay, learner: RiskLearner
) -> None:
    put(replay, dangerous(0, at=(2,)))
    assert 0 < learner.update(replay)["recovery_risk"] < 1
    assert learner.recovery.mean.weight.abs().max().item() > 0, "an update trains it"
    before = {key: value.clone() for key, value in learner.net.state_dict().items()}
    features = torch.from_numpy(replay.store.columns["features"][replay.online.rows])
    optimizer = learner._optimizers["recovery"]  # pyright: ignore[reportPrivateUsage]
    moved = learner.recovery.mean.weight.clone()
    descend(optimizer, learner.recovery_loss(features)[0])
    assert not torch.equal(learner.recovery.mean.weight, moved)
    assert all(torch.equal(before[key], value) for key, value in learner.net.state_dict().items())


def test_a_state_from_before_there_was_a_recovery_policy_begins_one(
    replay: Replay, learner: RiskLearner
) -> None:
    put(replay, dangerous(0, at=(2,)))
    learner.update(replay)
    state = {key: each for key, each in learner.state().items() if "recovery" not in key}
    head = Head(SHAPE)
    other = RiskLearner(SECTION, lambda: head, 9, CPU)
    other.load_state(state)
    assert torch.equal(other.net.values.weights[0], learner.net.values.weights[0])
    assert bool((other.recovery(torch.randn(2, SIZE)) == 0).all())


def test_its_state_goes_on_bit_for_bit(replay: Replay, learner: RiskLearner) -> None:
    put(replay, dangerous(0, at=(2,)))
    for _ in range(5):
        learner.update(replay)
    head = Head(SHAPE)
    other = RiskLearner(SECTION, lambda: head, 9, CPU)
    other._seed = learner._seed  # pyright: ignore[reportPrivateUsage]
    other._policy = learner._policy  # pyright: ignore[reportPrivateUsage]
    other.load_state({key: value.clone() for key, value in learner.state().items()})
    assert [learner.update(replay) for _ in range(3)] == [other.update(replay) for _ in range(3)]


def test_a_batch_that_is_no_number_teaches_nothing(replay: Replay, learner: RiskLearner) -> None:
    put(replay, dangerous(0, at=(2,)))
    before = {key: value.clone() for key, value in learner.net.state_dict().items()}
    replay.store.columns["features"][:] = np.nan
    assert learner.update(replay) == {}
    assert all(
        bool((before[key] == value).all()) for key, value in learner.net.state_dict().items()
    )


def test_what_a_policy_does_is_its_mean_and_its_likeliest_order() -> None:
    head = Head(SHAPE)
    features = torch.randn(4, SIZE)
    action = actions_of(head, features)
    axes, grippers = head.decision(features)
    assert torch.equal(action[:, :3], axes)
    assert bool((action[:, 3:6] == 0).all())
    assert action[:, 6].tolist() == [(-1.0, 0.0, 1.0)[i] for i in grippers[:, 0].argmax(-1)]


# ---- the threshold -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("count", "alpha", "place"),
    [(18, 0.05, None), (19, 0.05, 19), (39, 0.05, 38), (9, 0.1, 9), (100, 0.05, 96)],
)
def test_the_threshold_is_a_conformal_quantile(count: int, alpha: float, place: int | None) -> None:
    maxima = [i / 1000 for i in range(1, count + 1)]
    np.random.default_rng(0).shuffle(maxima)
    assert conformal(maxima, alpha) == (None if place is None else place / 1000)


def test_a_new_episode_stays_below_it_as_often_as_promised() -> None:
    rng = np.random.default_rng(1)
    below = 0
    for _ in range(2000):
        maxima = rng.random(39)
        threshold = conformal(maxima[:38].tolist(), 0.1)
        assert threshold is not None
        below += maxima[38] <= threshold
    assert 0.88 < below / 2000 < 0.93


def test_it_counts_the_newest_successes_and_the_greater_word(replay: Replay) -> None:
    put(replay, judged(0, [0.9, 0.9]), Outcome.FAILURE)
    put(replay, dangerous(1))  # no critic judged it
    touched = judged(40, [0.99, 0.99])
    touched["limits"][0] = int(Limit.FORCE)
    put(replay, touched)  # it succeeded, and was unsafe
    for episode in range(2, 32):
        put(replay, judged(episode, [0.1, episode / 100], 0.3))
    found = calibrate(replay, lambda rows: np.full(len(rows), 0.2), alpha=0.05, window=20)
    assert found.episodes == 20
    assert found.threshold == pytest.approx(0.31), "of 20 the greatest: the newest said most"
    assert found.coverage == pytest.approx(19 / 20), "0.31 was above the threshold of its day"
    assert found.covered_of == 20
    now = calibrate(replay, lambda rows: np.full(len(rows), 0.7), alpha=0.05, window=20)
    assert now.threshold == pytest.approx(0.7), "the critic has learned of a danger since"


def test_no_threshold_before_there_are_enough(replay: Replay) -> None:
    for episode in range(18):
        put(replay, judged(episode, [0.1]))
    found = calibrate(replay, lambda rows: np.zeros(len(rows)), alpha=0.05, window=100)
    assert (found.threshold, found.episodes) == (None, 18)


def test_a_window_that_can_never_give_a_threshold_is_refused() -> None:
    with pytest.raises(ValueError, match="99 successful episodes"):
        RiskSection(alpha=0.01, window_episodes=50)


@pytest.mark.parametrize(("above", "warns"), [(1, False), (8, True)])
def test_people_are_told_when_it_covers_fewer_than_it_promised(
    replay: Replay, learner: RiskLearner, above: int, warns: bool
) -> None:
    for episode in range(40):
        put(replay, judged(episode, [0.4 if episode < above else 0.1], 0.3))
    put(replay, dangerous(40, at=tuple(range(LEAST_UNSAFE))))
    release = RiskRelease(learner, replay, Backbone.sha256)
    assert release.weights() is not None
    assert release.metrics["risk_coverage"] == pytest.approx(1 - above / 40)
    assert release.metrics["risk_covered_of"] == 40
    assert ("95% should" in release.warning) is warns


def test_the_critics_promise_is_not_held_against_a_stricter_threshold_of_the_task(
    replay: Replay, learner: RiskLearner
) -> None:
    for episode in range(40):
        put(replay, judged(episode, [0.4], 0.6, task=0.1))
    put(replay, dangerous(40, at=tuple(range(LEAST_UNSAFE))))
    release = RiskRelease(learner, replay, Backbone.sha256)
    assert release.weights() is not None
    assert release.metrics["risk_coverage"] == 1.0, "all stayed below its 0.6"
    assert release.warning == ""


# ---- what is published ---------------------------------------------------------------------------


def test_a_critic_travels_once_it_knows_of_dangers(replay: Replay, learner: RiskLearner) -> None:
    release = RiskRelease(learner, replay, Backbone.sha256)
    put(replay, dangerous(0, at=tuple(range(LEAST_UNSAFE - 1))))
    learner.update(replay)
    assert release.weights() is None
    put(replay, dangerous(1, at=(3,)))
    data = release.weights()
    assert data is not None
    told = {"risk_calibrated_on": 0.0, "risk_covered_of": 0.0}
    assert release.metrics == told, "no threshold, and nothing to cover"
    assert release.warning == ""
    found = decode_risk(data, Backbone(), 7, "it")
    settings = found.settings
    assert (settings.number, settings.threshold, settings.calibrated_on) == (1, None, 0)
    features, action = torch.randn(3, SIZE), torch.randn(3, 7)
    assert torch.equal(found.net.risk(features, action), learner.net.risk(features, action))
    assert found.recovery is not None
    assert torch.equal(found.recovery(features), learner.recovery(features))
    assert found.values is None, "no algorithm with critics trains the policy"


def test_the_policys_critics_travel_with_it(replay: Replay, learner: RiskLearner) -> None:
    put(replay, dangerous(0, at=tuple(range(LEAST_UNSAFE))))
    critics = Ensemble(3, SIZE + 3, 16, 1)
    data = RiskRelease(learner, replay, Backbone.sha256, lambda: critics).weights()
    assert data is not None
    found = decode_risk(data, Backbone(), 7, "it").values
    assert found is not None
    features, action = torch.randn(3, SIZE), torch.randn(3, 7)
    wanted = critics(torch.cat([features, action[:, :3]], -1))[:2, :, 0].amin(0)
    assert torch.equal(found(features, action), wanted)


def test_a_critic_that_cannot_judge_is_not_published(replay: Replay, learner: RiskLearner) -> None:
    for _ in range(4):
        put(replay, dangerous(5, at=(3, 4, 5)))
        put(replay, dangerous(-5))
    for _ in range(500):
        learner.update(replay)
    release = RiskRelease(learner, replay, Backbone.sha256)
    good = release.weights()
    answer(learner.net.values, [logit(0.4), logit(0.4)])
    assert release.weights() == good, "the one before judges on"
    assert "0.25 less is allowed" in release.refusal
    with torch.no_grad():
        learner.net.values.biases[-1].fill_(torch.nan)
    assert release.weights() == good
    assert "not finite" in release.refusal
    fresh = RiskNet(SIZE, 7, 16)
    learner.net.load_state_dict(fresh.state_dict())
    again = RiskRelease(learner, replay, Backbone.sha256)  # a learner that was started again
    assert again.weights() == good, "it knows nothing, and the one before is not forgotten"
    assert int(learner.number) == 1, "only those that judged are counted"
    elsewhere = RiskRelease(learner, replay, "1" * 64)
    assert elsewhere.weights() != good, "with another encoder nothing is left of it"
