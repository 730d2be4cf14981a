"""Executors of accounts."""

from collections.abc import Mapping

from aviary.actors.core.refusal import Invalid, Refusal
from aviary.actors.messages.executors import (
    REGISTRY,
    ClearPositionHeld,
    CreateExecutor,
    GetExecutor,
    GetExecutorLogs,
    GetExecutorSchema,
    GetExecutorsPerformance,
    GetExecutorsSummary,
    GetPositionHeld,
    ListExecutorTypes,
    ListPositionsHeld,
    SearchExecutors,
    StopExecutor,
)
from aviary.http.routing import Row
from aviary.http.views.executors import (
    Cleared,
    ExecutorKinds,
    ExecutorRow,
    ExecutorRows,
    ExecutorSchema,
    HeldPosition,
    HeldPositions,
    Performance,
    RunningSums,
)

NAMED: Mapping[type[Refusal], int] = {Invalid: 422}
"""What is wrong is named in the list form that clients read."""

ROWS = (
    Row("POST", "/executors/", CreateExecutor, REGISTRY, status=201, refusals=NAMED, timeout=70.0),
    Row("POST", "/executors/search", SearchExecutors, REGISTRY, refusals=NAMED, answers=ExecutorRows),
    Row("GET", "/executors/summary", GetExecutorsSummary, REGISTRY, answers=RunningSums),
    Row("GET", "/executors/performance", GetExecutorsPerformance, REGISTRY, answers=Performance),
    Row("GET", "/executors/positions/summary", ListPositionsHeld, REGISTRY, answers=HeldPositions),
    Row(
        "GET",
        "/executors/positions/{connector_name}/{trading_pair}",
        GetPositionHeld,
        REGISTRY,
        answers=HeldPosition,
    ),
    Row(
        "DELETE",
        "/executors/positions/{connector_name}/{trading_pair}",
        ClearPositionHeld,
        REGISTRY,
        answers=Cleared,
    ),
    Row("GET", "/executors/types/available", ListExecutorTypes, REGISTRY, answers=ExecutorKinds),
    Row("GET", "/executors/types/{executor_type}/config", GetExecutorSchema, REGISTRY, answers=ExecutorSchema),
    Row("GET", "/executors/{executor_id}", GetExecutor, REGISTRY, answers=ExecutorRow),
    Row("GET", "/executors/{executor_id}/logs", GetExecutorLogs, REGISTRY),
    Row("POST", "/executors/{executor_id}/stop", StopExecutor, REGISTRY),
)
