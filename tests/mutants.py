"""`make mutation`: breaks safety/ in one place at a time; some test of that module must then fail.

cosmic-ray makes the mutants, in a copy of the tree. Everything is interpreted, since a mutant
inside a compiled function would wait for the compiler. A module's mutants meet the tests named
here only, so that one costs seconds. Results are kept in .mutation/, by the hash of modules and
tests: the next call goes on from there. MUTATION_SAMPLE=200 takes a random sample, always the same.
"""

import argparse
import hashlib
import os
import random
import shutil
import sys
import time
from pathlib import Path

from cosmic_ray.commands.init import init
from cosmic_ray.mutating import mutate_and_test
from cosmic_ray.work_db import WorkDB, use_db
from cosmic_ray.work_item import WorkItem

ROOT = Path(__file__).resolve().parents[1]
SEED = 20_261_127
TIMEOUT_S = 300.0
LEAST = 0.95  # of the mutants must be found

# Of each module: the tests of tests/safety that see its mutants.
TESTS: dict[str, tuple[str, ...]] = {
    "admission": ("gate", "drive"),
    "checked": ("limits",),
    "clips": ("profile", "gate"),
    "collision": ("collision",),
    "command": ("command", "gate"),
    "contact": ("contact", "limits"),
    "decay": ("gate", "hold", "profile"),
    "distance": ("distance",),
    "drive": ("drive",),
    "excursion": ("excursion", "gate"),
    "gate": ("gate", "excursion", "profile", "joint_space"),
    "hold": ("hold", "blind_hold", "gate"),
    "impedance": ("impedance",),
    "joint_space": ("joint_space",),
    "lease": ("lease", "authority"),
    "links": ("collision", "distance"),
    "limits": ("limits", "contact", "no_op", "profile"),
    "modes": ("modes", "authority"),
    "nearest": ("joint_space", "collision"),
    "no_op": ("no_op",),
    "profile": ("profile",),
    "rotation": ("rotation",),
    "seen": ("seen", "gate"),
    "shape": ("collision",),
    "settings": ("gate", "limits"),
    "standstill": ("standstill", "gate"),
    "tracking": ("tracking", "gate"),
}


def main() -> int:
    """Run what is pending of the sample; 1 when too many survive."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sample", type=int, help="how many mutants; without it, all")
    parser.add_argument("--minutes", type=float, help="stop after this time")
    chosen = parser.parse_args()
    folder = ROOT / ".mutation" / _code()
    tree = folder / "tree"
    shutil.rmtree(tree, ignore_errors=True)  # a call that was killed left its mutant there
    for name in ("safety", "hardware", "tests"):
        shutil.copytree(ROOT / name, tree / name)
    shutil.copy(ROOT / "pyproject.toml", tree)
    os.chdir(tree)
    os.environ |= {"NUMBA_DISABLE_JIT": "1", "PYTHONPATH": str(tree)}
    with use_db(str(folder / "session.sqlite")) as session:
        if not session.num_work_items:
            init([Path("safety") / f"{name}.py" for name in TESTS], session, {})
        items = _sample(session.work_items, chosen.sample)
        _run(session, items, chosen.minutes)
        return _report(session, items)


def _sample(items: tuple[WorkItem, ...], count: int | None) -> list[WorkItem]:
    ordered = sorted(items, key=_place)
    random.Random(SEED).shuffle(ordered)
    return ordered[:count]


def _place(item: WorkItem) -> tuple[str, str, int]:
    mutation = item.mutations[0]
    return str(mutation.module_path), mutation.operator_name, mutation.occurrence


def _run(session: WorkDB, items: list[WorkItem], minutes: float | None) -> None:
    done = {str(job) for job, _ in session.results}
    end = time.monotonic() + 60.0 * minutes if minutes is not None else float("inf")
    for item in items:
        if item.job_id in done:
            continue
        if time.monotonic() > end:
            break
        tests = TESTS[item.mutations[0].module_path.stem]
        files = " ".join(f"tests/safety/test_{name}.py" for name in tests)
        command = f"{sys.executable} -m pytest -q -x -p no:cacheprovider {files}"
        session.set_result(item.job_id, mutate_and_test(item.mutations, command, TIMEOUT_S))


def _report(session: WorkDB, items: list[WorkItem]) -> int:
    results = {str(job): result for job, result in session.results}
    judged = [(item, results[item.job_id]) for item in items if item.job_id in results]
    survived = [(item, result) for item, result in judged if not result.is_killed]
    for item, result in survived:
        mutation = item.mutations[0]
        where = f"{mutation.module_path}:{mutation.start_pos[0]}"
        print(f"survived: {where} {mutation.operator_name}\n{result.diff}\n")
    killed = len(judged) - len(survived)
    score = killed / len(judged) if judged else 0.0
    print(f"{killed} of {len(judged)} mutants were found ({score:.1%}); {len(items)} were chosen")
    return int(score < LEAST)


def _code() -> str:
    digest = hashlib.sha256()
    for path in sorted([*(ROOT / "safety").glob("*.py"), *(ROOT / "tests/safety").glob("*.py")]):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


if __name__ == "__main__":
    sys.exit(main())
