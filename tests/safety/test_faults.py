"""The fault table: whole, and the one place where its sentences and bounds are."""

import string
from pathlib import Path

import pytest

from safety.faults import FAULTS, FaultCode, Unit, arm_called, bound_ms, sentence
from safety.vocabulary import ONLY_ARM

ROOT = Path(__file__).resolve().parents[2]
SOURCES = {
    path: path.read_text()
    for folder in ("safety", "hardware", "robot_rl")
    for path in (ROOT / folder).rglob("*.py")
    if path.name != "faults.py"
}


def test_every_code_has_one_row_and_the_numbers_are_1_to_25() -> None:
    assert list(FAULTS) == list(FaultCode)
    assert all(fault.code is code for code, fault in FAULTS.items())
    numbers = [fault.number for fault in FAULTS.values() if fault.number is not None]
    assert numbers == list(range(1, 26))


@pytest.mark.parametrize("code", FaultCode)
def test_a_code_fits_where_it_is_recorded(code: FaultCode) -> None:
    assert len(code) <= 24  # topics.CONTROL


@pytest.mark.parametrize("fault", FAULTS.values(), ids=lambda fault: fault.code)
def test_a_sentence_is_whole(fault) -> None:
    if fault.told is None:
        with pytest.raises(ValueError, match=fault.code):
            sentence(fault.code)
        return
    names = [name for _, name, _, _ in string.Formatter().parse(fault.told) if name]
    told = sentence(fault.code, **dict.fromkeys(names, 1.0))
    assert "{" not in told
    if names:
        with pytest.raises(KeyError):
            sentence(fault.code)


@pytest.mark.parametrize("fault", FAULTS.values(), ids=lambda fault: fault.code)
def test_what_is_told_is_told_by_somebody(fault) -> None:
    """A row with a sentence is used by the code; so is each row that latches."""
    used = any(f"FaultCode.{fault.code.name}" in text for text in SOURCES.values())
    if fault.told is not None or fault.latches:
        assert used, f"{fault.code} is not used by safety, hardware or robot_rl"


@pytest.mark.parametrize("fault", FAULTS.values(), ids=lambda fault: fault.code)
def test_a_bound_in_milliseconds_is_asked_for_as_such(fault) -> None:
    if fault.bound is not None and fault.bound.unit is Unit.MS:
        assert bound_ms(fault.code) == fault.bound.count > 0
    else:
        with pytest.raises(ValueError, match="no bound in milliseconds"):
            bound_ms(fault.code)


def test_a_sentence_names_the_arm_where_a_cell_has_several() -> None:
    told = {
        name: sentence(FaultCode.ARM_SILENT, arm=arm_called(name)) for name in (ONLY_ARM, "left")
    }
    assert told[ONLY_ARM] == "The arm's measurements stopped arriving; see its process."
    assert told["left"] == "The arm left's measurements stopped arriving; see its process."
