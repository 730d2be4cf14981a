"""The document as users read it: its examples work, a client made of it reads the answers, and nothing else comes back."""

from __future__ import annotations

import importlib
from contextlib import closing
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import hypothesis
import orjson
import pytest
import schemathesis
from openapi_python_client import generate
from openapi_python_client.config import Config, ConfigFile, MetaType
from raw_http import TIMEOUT, WELCOME, Answer, Caller, document_of
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from whole_server import Server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

WARM_UP = 120.0
"""Seconds that hummingbot may take to be imported, on a busy machine."""

BOTS, CONFIG = "/bot-orchestration", "/controllers/configs/{config_name}"
ONE = "/controllers/{controller_type}/{controller_name}"
CREDENTIAL = "{account_name}/{connector_name}"
RUN = f"{BOTS}/bot-runs/{{bot_run_id}}"

STORY: tuple[str, ...] = (
    # Keys
    "POST /accounts",
    "POST /accounts/delete-account",
    "POST /accounts/add-account",
    "DELETE /accounts/{id}",
    f"POST /accounts/add-credential/{CREDENTIAL}",
    "PUT /accounts/{id}",
    "GET /accounts/{id}/balances",
    # Executors
    "POST /executors/",
    # Configurations
    f"POST {ONE}",
    f"DELETE {ONE}",
    "POST /scripts/{script_name}",
    "DELETE /scripts/{script_name}",
    f"POST {ONE}/config/validate",
    f"POST {CONFIG}",
    "POST /scripts/configs/{config_name}",
    "PUT /controllers/{id}/config",
    # Bots
    f"POST {BOTS}/deploy",
    f"PUT {BOTS}/bots/{{id}}/config",
    "POST /controllers/bots/{bot_name}/{controller_name}/config",
    f"POST {BOTS}/stop-bot",
    f"POST {BOTS}/start-bot",
    f"POST {BOTS}/bots/{{id}}/stop",
    f"POST {BOTS}/bots/{{id}}/start",
    "POST /controllers/{name}/deploy",
    "POST /scripts/run",
    f"POST {BOTS}/deploy-v2-controllers",
    f"POST {BOTS}/deploy-v2-script",
    # Orders
    "POST /trading/orders",
    f"POST /trading/{CREDENTIAL}/leverage",
    f"POST /trading/{CREDENTIAL}/position-mode",
    # Markets
    "POST /market-data/trading-pair/add",
    "POST /market-data/order-book/restart/{connector_name}",
    "POST /market-data/trading-pair/remove",
    "POST /supervision/restart",
    "POST /executors/{executor_id}/stop",
)
"""Operations that change something, in an order in which one makes what the next needs."""

ENDS: tuple[str, ...] = (
    "DELETE /executors/positions/{connector_name}/{trading_pair}",
    f"POST {BOTS}/stop-and-archive-bot/{{bot_name}}",
    f"DELETE {CONFIG}",
    "DELETE /scripts/configs/{config_name}",
    f"POST /accounts/delete-credential/{CREDENTIAL}",
)
"""Operations that undo what the others did."""

NAMED_BY_THE_SERVER = {
    "POST /trading/{account_name}/{connector_name}/orders/{client_order_id}/cancel": "an order's id",
    "DELETE /trading/orders/{id}": "an order's id",
    f"DELETE {RUN}": "a run whose bot is archived",
    "POST /trading/close-position": "a position",
    "POST /supervision/release-poison": "a kind of message that is set aside",
    f"GET {BOTS}/{{bot_name}}/history": "a bot that has been running for a while",
}
"""Operations whose example needs what no other example makes."""

SEEDS = (1, 2)
EXAMPLES = 2
"""Calls of each operation a seed."""

CRASHED = 500

SLOW_TO_ASK = ("/deploy", "/scripts/run", "/config/validate", "/stop-bot", "/stop")
"""Ends of operations that bring up a process for each call that makes sense."""


@pytest.fixture(scope="module")
def caller(server: Server) -> Iterator[Caller]:
    """A server whose hosts come up in a moment."""
    server.until("the template is warm", lambda: is_warm(server), WARM_UP)
    caller = Caller(server)
    yield caller
    caller.close()


@pytest.fixture
def untouched(tmp_path: Path) -> Iterator[Server]:
    """A server in which nobody has made anything."""
    server = Server(tmp_path / "untouched")
    server.start()
    server.until("every branch runs", server.ready)
    server.until("the template is warm", lambda: is_warm(server), WARM_UP)
    yield server
    server.end()


def is_warm(server: Server) -> bool:
    entries = server.call("GET", "/supervision/journal?address=template")["data"]
    return any("was warm" in entry["reason"] for entry in entries)


def operations(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {
        f"{method.upper()} {path}": operation
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }


def send(caller: Caller, name: str, operation: dict[str, Any]) -> Answer:
    """Send the example of an operation."""
    method, path = name.split(" ")
    query = []
    for one in operation.get("parameters", ()):
        if one["in"] == "path":
            path = path.replace("{" + one["name"] + "}", quote(str(one["example"]), safe=""))
        elif "example" in one:
            query.append(f"{one['name']}={quote(str(one['example']))}")
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("example")
    target = f"{path}?{'&'.join(query)}" if query else path
    return caller.send(method, target, None if body is None else orjson.dumps(body))


def test_the_examples_work(untouched: Server) -> None:
    with closing(Caller(untouched)) as caller:
        check_examples(caller, untouched)


def check_examples(caller: Caller, untouched: Server) -> None:
    told = operations(document_of(untouched).content)
    changing = {*STORY, *ENDS, *NAMED_BY_THE_SERVER}
    assert changing <= told.keys()

    asking = [name for name in told if name not in changing]
    answers = {name: send(caller, name, told[name]) for name in (*STORY, *asking, *ENDS)}

    assert {name: answer.text for name, answer in answers.items() if answer.status not in {200, 201}} == {}
    assert [name for name in told if name not in answers] == [name for name in told if name in NAMED_BY_THE_SERVER]


def test_a_client_that_is_made_of_it_reads_the_answers(
    caller: Caller, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "openapi.json"
    source.write_bytes(orjson.dumps(document_of(server).content))
    settings = ConfigFile(post_hooks=[], project_name_override="made", package_name_override="made_client")
    config = Config.from_sources(
        settings, MetaType.NONE, source, "utf-8", overwrite=True, output_path=tmp_path / "made_client"
    )

    complaints = generate(config=config)

    assert [f"{one.header} {one.detail}" for one in complaints] == []
    monkeypatch.syspath_prepend(str(tmp_path))
    client = importlib.import_module("made_client").Client(
        base_url=server.client.url, headers={"Authorization": WELCOME}, timeout=30.0
    )

    def ask(tag: str, name: str, **more: Any) -> Any:
        module = importlib.import_module(f"made_client.api.{tag}.{name}")
        response = module.sync_detailed(client=client, **more)
        assert response.status_code in {200, 201}, response.content
        return response.parsed

    models = importlib.import_module("made_client.models")
    with client:
        tree = ask("supervision", "get_supervision_tree")
        rules = ask("connectors", "get_connectors_connector_name_trading_rules", connector_name="sandbox")
        ticker = ask("market_data", "get_market_data_ticker_pair", pair="BTC-USDT")
        runs = ask("bot_orchestration", "get_bot_orchestration_bot_runs")
        bots = ask("bot_orchestration", "get_bot_orchestration_status")
        orders = ask("trading", "get_trading_orders", limit=5)
        ready = ask("server", "get_health_ready")

    assert (tree.actors[0].address, ready.status) == ("aviary", "ready")
    assert isinstance(rules["BTC-USDT"], models.TradingRule)
    assert isinstance(ticker.best_bid, float)
    assert (runs.status, bots.status, orders.pagination.limit) == ("success", "success", 5)


CHECKS = [
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]


@pytest.mark.timeout(180)
@pytest.mark.parametrize("chance", SEEDS)
def test_nothing_comes_back_that_is_not_told(caller: Caller, server: Server, chance: int) -> None:
    schema = schemathesis.openapi.from_dict(document_of(server).content)
    crashes: list[str] = []
    called: set[str] = set()

    def try_out(operation: Any) -> None:
        @hypothesis.seed(chance)
        @hypothesis.settings(
            max_examples=EXAMPLES,
            database=None,
            deadline=None,
            phases=[hypothesis.Phase.generate],
            suppress_health_check=list(hypothesis.HealthCheck),
        )
        @hypothesis.given(case=operation.as_strategy())
        def call(case: Any) -> None:
            answer = case.call(base_url=server.client.url, headers={"Authorization": WELCOME}, timeout=TIMEOUT)
            case.validate_response(answer, checks=CHECKS)
            called.add(operation.label)
            if answer.status_code == CRASHED:
                crashes.append(f"{case.as_curl_command()}: {answer.text:.200}")

        call()

    for found in schema.get_all_operations():
        if not found.ok().path.endswith(SLOW_TO_ASK):
            try_out(found.ok())

    assert crashes == []
    assert len(called) > 100
