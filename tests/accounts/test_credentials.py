"""Accounts and their keys: added, checked, replaced, kept encrypted, removed."""

import asyncio
from typing import Any

import pytest
from account_world import Exchange, World
from aviary.actors.core.refusal import Conflict, Invalid, NotFound, Refusal, Rejected, Unavailable
from aviary.actors.messages.accounts import (
    AddCredential,
    CreateAccount,
    DeleteAccount,
    DeleteCredential,
    ListAccounts,
    ListCredentials,
)
from aviary.actors.messages.trading import ListActiveOrders, SearchOrders
from pydantic import SecretStr

pytestmark = pytest.mark.whole

REGISTRY = "account-registry"


def add(world: World, account: str, key: str, secret: str = "secret", connector: str = "sandbox") -> Any:
    values = {f"{connector}_api_key": SecretStr(key), f"{connector}_api_secret": SecretStr(secret)}
    message = AddCredential(account_name=account, connector_name=connector, values=values)
    return world.ask(REGISTRY, message, timeout=60)


def test_an_account_is_created_listed_and_deleted_and_the_first_one_stays(world: World, account: str) -> None:
    world.ask(REGISTRY, CreateAccount(account_name=account))

    assert {"master_account", account} <= set(world.ask(REGISTRY, ListAccounts()))
    with pytest.raises(Invalid, match="already exists"):
        world.ask(REGISTRY, CreateAccount(account_name=account))
    world.ask(REGISTRY, DeleteAccount(account_name=account))
    assert account not in world.ask(REGISTRY, ListAccounts())
    assert not (world.credentials / account).exists()
    with pytest.raises(NotFound):
        world.ask(REGISTRY, DeleteAccount(account_name=account))
    with pytest.raises(Invalid):
        world.ask(REGISTRY, DeleteAccount(account_name="master_account"))


@pytest.mark.parametrize("name", ["../x", "a/b", "a b", ".hidden", "nul\0", "x" * 65, "ü"])
def test_a_name_that_could_be_a_trick_is_refused_and_nothing_is_written(world: World, name: str) -> None:
    before = sorted(world.credentials.iterdir())

    with pytest.raises(Invalid) as caught:
        world.ask(REGISTRY, CreateAccount(account_name=name))

    assert caught.value.field == "account_name"
    assert sorted(world.credentials.iterdir()) == before


@pytest.mark.parametrize(
    ("before", "after"), [("  ", "\n"), ("\t", "\r\n"), ("\ufeff", "\u200b"), ("\u00a0", " ")]
)
def test_white_space_that_was_pasted_along_is_no_part_of_a_key(
    world: World, exchange: Exchange, account: str, before: str, after: str
) -> None:
    key = exchange.key()
    world.ask(REGISTRY, CreateAccount(account_name=account))

    add(world, account, f"{before}{key}{after}", f"{before}secret{after}")

    world.wait_until_ready(f"accounts/{account}/sandbox")
    world.ask(REGISTRY, DeleteAccount(account_name=account))


@pytest.mark.parametrize("inside", ["\0", "\x1b", "\u200b", "\u202e", "\n", "\r", "\x7f"])
@pytest.mark.parametrize("field", ["key", "secret"])
def test_a_key_that_no_request_can_be_made_of_is_refused_by_name(
    world: World, exchange: Exchange, account: str, field: str, inside: str
) -> None:
    world.ask(REGISTRY, CreateAccount(account_name=account))
    torn = f"sand{inside}box"

    with pytest.raises(Invalid, match=f"sandbox_api_{field}") as refused:
        add(world, account, torn if field == "key" else exchange.key(), torn if field == "secret" else "s")

    assert refused.value.field == f"sandbox_api_{field}"
    assert torn not in refused.value.detail
    assert world.ask(REGISTRY, ListCredentials(account_name=account)) == ()
    world.ask(REGISTRY, DeleteAccount(account_name=account))


def test_keys_are_encrypted_at_rest_and_never_said_again(world: World, exchange: Exchange, account: str) -> None:
    key = exchange.key()
    world.connect(account, key)

    text = (world.credentials / account / "connectors" / "sandbox.yml").read_text()
    assert key not in text
    assert (world.credentials / account / ".password_verification").exists()
    assert world.ask(REGISTRY, ListCredentials(account_name=account)) == ("sandbox",)
    assert key not in repr(world.system.events())
    log = (world.home / f"host-{account}.log").read_text()
    assert key not in log


def test_a_bad_key_is_refused_with_the_exchange_s_words_and_the_old_one_kept(
    world: World, exchange: Exchange, account: str
) -> None:
    address = world.connect(account, exchange.key())
    path = world.credentials / account / "connectors" / "sandbox.yml"
    before = path.read_bytes()

    with pytest.raises(Rejected, match="Invalid API-key") as caught:
        add(world, account, "stranger", "hush-hush")

    assert "hush-hush" not in str(caught.value)
    assert path.read_bytes() == before
    assert world.status(address).phase == "ready"
    assert world.place(account).state == "open"


def test_a_credential_without_a_field_or_with_a_strange_one_is_refused(world: World, account: str) -> None:
    world.ask(REGISTRY, CreateAccount(account_name=account))

    for values, field in (
        ({"sandbox_api_key": SecretStr("sandbox")}, "sandbox_api_secret"),
        (
            {"sandbox_api_key": SecretStr("a"), "sandbox_api_secret": SecretStr("b"), "more": SecretStr("c")},
            "more",
        ),
    ):
        with pytest.raises(Invalid) as caught:
            world.ask(REGISTRY, AddCredential(account_name=account, connector_name="sandbox", values=values))
        assert caught.value.field == field
    with pytest.raises(NotFound):
        add(world, account, "sandbox", connector="nosuch")
    with pytest.raises(NotFound):
        add(world, "nosuch", "sandbox")
    assert world.ask(REGISTRY, ListCredentials(account_name=account)) == ()


def test_keys_are_not_kept_when_the_exchange_says_nothing(world: World, exchange: Exchange, account: str) -> None:
    world.ask(REGISTRY, CreateAccount(account_name=account))
    key = exchange.key()
    exchange.faults("http_5xx", 60, market="spot", key=key)

    with pytest.raises(Unavailable):
        add(world, account, key)

    assert world.ask(REGISTRY, ListCredentials(account_name=account)) == ()


def test_keys_are_replaced_while_the_connector_runs(world: World, exchange: Exchange, account: str) -> None:
    address = world.connect(account, exchange.key())
    other = exchange.key()

    add(world, account, other)
    world.wait_until_ready(address)
    placed = world.place(account)

    assert exchange.order_ids(other) == {placed.order_id}


def test_orders_of_a_deleted_credential_are_left_and_told_of_and_active_again_with_it(
    world: World, exchange: Exchange, account: str
) -> None:
    key = exchange.key()
    address = world.connect(account, key)
    order_id = world.place(account).order_id

    deleted = world.ask(REGISTRY, DeleteCredential(account_name=account, connector_name="sandbox"))

    assert deleted.message.endswith("Orders that may still rest on the exchange: 1.")
    assert exchange.order_ids(key) == {order_id}
    assert active(world, account) == set()
    found = world.ask("trading", SearchOrders(account_names=(account,)))
    assert [(order.order_id, order.state) for order in found.data] == [(order_id, "open")]
    add(world, account, key)
    world.wait_until_ready(address)
    assert active(world, account) == {order_id}


def test_orders_of_a_deleted_account_are_not_active(world: World, exchange: Exchange, account: str) -> None:
    world.connect(account, exchange.key())
    order_id = world.place(account).order_id

    world.ask(REGISTRY, DeleteAccount(account_name=account))

    everywhere = world.ask("trading", ListActiveOrders(limit=1000))
    assert order_id not in {order.order_id for order in everywhere.data}


def active(world: World, account: str) -> set[str]:
    page = world.ask("trading", ListActiveOrders(account_names=(account,)))
    return {order.order_id for order in page.data}


def test_a_deleted_credential_is_gone_and_its_connector_stopped(
    world: World, exchange: Exchange, account: str
) -> None:
    address = world.connect(account, exchange.key())

    world.ask(REGISTRY, DeleteCredential(account_name=account, connector_name="sandbox"))

    assert world.ask(REGISTRY, ListCredentials(account_name=account)) == ()
    assert world.system.cell(address) is None
    with pytest.raises(NotFound):
        world.place(account)
    with pytest.raises(NotFound):
        world.ask(REGISTRY, DeleteCredential(account_name=account, connector_name="sandbox"))


def test_many_changes_to_one_account_at_the_same_time_leave_it_whole(
    world: World, exchange: Exchange, account: str
) -> None:
    async def create_twice() -> list[object]:
        message = CreateAccount(account_name=account)
        asks = (world.system.ask(REGISTRY, message, timeout=20) for _ in range(4))
        return await asyncio.gather(*asks, return_exceptions=True)

    answers = world.run(create_twice())

    assert sum(isinstance(answer, Refusal) for answer in answers) == 3
    assert not any(isinstance(answer, Conflict) for answer in answers)
    assert world.connect(account, exchange.key()) == f"accounts/{account}/sandbox"
