"""Whatever is sent, by whomever: no server error, and no status that is not documented."""

import os
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import APIOperation, Case, GenerationMode
from schemathesis.checks import load_all_checks, not_a_server_error
from schemathesis.core.result import Ok, Result
from schemathesis.specs.openapi.checks import (
    response_schema_conformance,
    status_code_conformance,
)

from robot_rl.server.accounts.roles import Role
from robot_rl.server.app import create_app
from robot_rl.server.settings import ServerSettings
from tests.server.conftest import RunningServer

EXAMPLES = int(os.environ.get("ROBOT_RL_API_EXAMPLES", "12"))
CALLERS = (*Role, None)


def _found(result: Result[APIOperation, Any]) -> APIOperation:
    assert isinstance(result, Ok), result
    return result.ok()


load_all_checks()
API = schemathesis.openapi.from_dict(create_app(ServerSettings()).openapi())
OPERATIONS = {operation.label: operation for operation in map(_found, API.get_all_operations())}
CHECKS = [not_a_server_error, status_code_conformance, response_schema_conformance]


@pytest.fixture(scope="module")
def headers(shared_server: RunningServer) -> dict[Role | None, dict[str, str]]:
    return {role: shared_server.bearer(role) if role else {} for role in CALLERS}


@pytest.mark.parametrize("label", OPERATIONS)
def test_no_server_error(
    shared_server: RunningServer, headers: dict[Role | None, dict[str, str]], label: str
) -> None:
    operation = OPERATIONS[label]
    cases = operation.as_strategy() | operation.as_strategy(GenerationMode.NEGATIVE)

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        suppress_health_check=(HealthCheck.too_slow, HealthCheck.filter_too_much),
    )
    @given(case=cases, caller=st.sampled_from(CALLERS))
    def judge(case: Case, caller: Role | None) -> None:
        case.query.pop("wait_s", None)  # a long poll
        case.call_and_validate(
            base_url=shared_server.url, headers=headers[caller], checks=CHECKS, timeout=30
        )

    judge()
