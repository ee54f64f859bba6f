"""Fixtures of the fault tests."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.faults.cell import FaultCell

type MakeCell = Callable[..., FaultCell]


@pytest.fixture
def make_cell(tmp_path: Path) -> Iterator[MakeCell]:
    """`make_cell(**control)`: robots in this process; see `FaultCell`."""
    cells: list[FaultCell] = []

    def make(**control: Any) -> FaultCell:
        folder = tmp_path / f"cell{len(cells)}"
        folder.mkdir()
        cells.append(FaultCell(folder, **control))
        cells[-1].run(100)
        return cells[-1]

    yield make
    for cell in cells:
        cell.end()


@pytest.fixture
def cell(make_cell: MakeCell) -> FaultCell:
    return make_cell()
