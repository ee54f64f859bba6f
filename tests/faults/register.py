"""Which test injects which fault: read from the marks of all tests, without running any.

`@pytest.mark.injects(FaultCode.X, …)`: the test brings the fault about and judges what the fault
table requires. `@pytest.mark.unprotected(FaultCode.X, …)`: its positive control, which switches the
protection off and shows that the outcome is then another. Both also mark the cases of a
parametrized test (`pytest.param(…, marks=…)`).
"""

import ast
from dataclasses import dataclass
from pathlib import Path

from safety.faults import FaultCode

TESTS = Path(__file__).resolve().parents[1]
INJECTS, UNPROTECTED = "injects", "unprotected"


@dataclass(frozen=True, slots=True, kw_only=True)
class Marked:
    """A test that names a fault."""

    code: FaultCode
    mark: str  # INJECTS or UNPROTECTED
    file: str  # below tests/
    test: str


def marked() -> list[Marked]:
    """Every mark of a fault, in the order of files and lines. Raises ValueError for an argument
    that is no `FaultCode.X`.
    """
    return [
        found
        for path in sorted(TESTS.rglob("test_*.py"))
        for node in ast.walk(ast.parse(path.read_text(), filename=str(path)))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.name.startswith("test_")
        for found in _marks(node, str(path.relative_to(TESTS)))
    ]


def _marks(test: ast.FunctionDef | ast.AsyncFunctionDef, file: str) -> list[Marked]:
    calls = [
        call
        for decorator in test.decorator_list
        for call in ast.walk(decorator)
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Attribute)
        and call.func.attr in (INJECTS, UNPROTECTED)
    ]
    return [
        Marked(code=_code(argument, file), mark=call.func.attr, file=file, test=test.name)
        for call in calls
        if isinstance(call.func, ast.Attribute)
        for argument in call.args
    ]


def _code(argument: ast.expr, file: str) -> FaultCode:
    if isinstance(argument, ast.Attribute) and argument.attr in FaultCode.__members__:
        return FaultCode[argument.attr]
    raise ValueError(f"{file}: {ast.unparse(argument)} is no FaultCode; write FaultCode.X")
