"""What `bench risk` keeps and what it makes of it, from made-up episodes."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.measurement import Spread
from benchmarks.risk_kept import BenchSettings, Block, Kept, KeptEpisode
from benchmarks.risk_report import Compared, judged
from robot_rl.errors import PlainError
from robot_rl.evaluation.risk_figures import RiskEpisode, discounted

SETTINGS = BenchSettings(code="c", force_n=20.0, minutes=1.0, episodes=4, seed=1)
LATENCY = {"its own is safe": Spread.of([0.3, 0.4]), "nothing is safe": Spread.of([0.9, 1.1])}


def episode(
    unsafe: tuple[int, ...],
    *,
    success: bool = True,
    held: tuple[int, ...] = (),
    replaced: tuple[int, ...] = (),
) -> RiskEpisode:
    steps = np.arange(30)
    at = np.isin(steps, unsafe)
    return RiskEpisode(
        success=success,
        unsafe=at,
        held=np.isin(steps, held),
        replaced=np.isin(steps, replaced),
        recovered=np.isin(steps, replaced[:1]),
        risk=np.where(steps == 29, np.nan, discounted(at, 0.85)),
        threshold=np.full(30, 0.5),
    )


def test_what_is_kept_comes_back_and_is_not_mixed_with_other_settings(tmp_path: Path) -> None:
    kept = Kept(tmp_path, SETTINGS)
    assert kept.trained() is None
    assert kept.block("acts_000") is None
    given = episode((3, 4, 9), held=(2,))
    block = Block(wall_s=1.0, load_1_min=0.5, episodes=(KeptEpisode.of(7, given),))
    kept.keep_block("acts_000", block)
    found = Kept(tmp_path, SETTINGS).block("acts_000")
    assert found is not None
    assert found == block
    again = found.episodes[0].episode
    assert np.isnan(again.risk[29])
    assert (again.events, again.first_alarm) == (2, given.first_alarm)
    (tmp_path / "acts_000.json").write_text("{")
    with pytest.raises(PlainError, match=r"acts_000\.json is damaged: remove it"):
        kept.block("acts_000")
    with pytest.raises(PlainError, match="choose another folder"):
        Kept(tmp_path, SETTINGS.model_copy(update={"code": "d"}))


def test_half_a_training_is_begun_anew(tmp_path: Path) -> None:
    kept = Kept(tmp_path, SETTINGS)
    (kept.new_data("data") / "half").write_text("a training that was killed")
    assert not [*kept.new_data("data").iterdir()]


def test_every_figure_has_its_interval_and_pairs_are_of_one_scene() -> None:
    warns = [episode((10, 11, 20)) if i % 2 else episode(()) for i in range(40)]
    acts = [
        episode((10,), success=i != 3, held=(9,), replaced=(6, 7, 8))
        if i in (1, 3, 5)
        else episode(())
        for i in range(40)
    ]
    compared = Compared(warns=warns, acts=acts, step_s=0.1, discount=0.85)
    targets, detail = judged(compared, LATENCY)
    named = {target.name: target for target in targets}
    assert named["unsafe events an hour, with over without"].value == pytest.approx(3 / 40)
    assert named["success lost"].value == pytest.approx(1 / 40)
    assert not named["success lost, upper end of its interval"].met, "40 scenes cannot tell"
    assert named["judging a decision, p99, nothing is safe"].value == 1.1
    for name in ("events an hour without", "AUROC", "calibration error", "lead time, s (median)"):
        value, _, within = str(detail[name]).partition(" (")
        low, high = within.rstrip(")").split(" to ")
        assert float(low) <= float(value) <= float(high), name
    assert str(detail["foreseen, of unsafe episodes"]).startswith("20/20")
    assert str(detail["false alarms, of those that went well"]).startswith("0/20")
    assert str(detail["unsafe only with, only without"]).startswith("0, 17 ")
    assert detail["steps held, resampled, recovered (of all)"] == "3, 6, 3 (1160)"


def test_without_anything_unsafe_nothing_can_be_said() -> None:
    safe = [episode(())] * 3
    with pytest.raises(PlainError, match="nothing that it could prevent"):
        judged(Compared(warns=safe, acts=safe, step_s=0.1, discount=0.85), LATENCY)
