"""Credentials: hummingbot's own key files, written and read in the host, checked against the exchange."""

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from aviary.actors.core.ports.port import PortRefusal
from aviary.sandbox.testing import SandboxProcess
from engine_neighbours import Host

pytestmark = pytest.mark.asyncio(loop_scope="session")

VALUES = {"sandbox_api_key": "a key", "sandbox_api_secret": "a secret"}


async def encrypt(host: Host, folder: Path, password: str = "right", **values: Any) -> None:
    await host.call(
        "encrypt_credential",
        password=password,
        account_dir=str(folder),
        connector_name="sandbox",
        values=values or VALUES,
    )


async def test_a_credential_is_encrypted_at_rest_and_comes_back_with_the_password(
    host: Host, tmp_path: Path
) -> None:
    await encrypt(host, tmp_path)

    written = (tmp_path / "connectors" / "sandbox.yml").read_text()
    assert "a key" not in written
    assert "a secret" not in written
    assert (tmp_path / "connectors" / "sandbox.yml").stat().st_mode & 0o077 == 0
    where = {"account_dir": str(tmp_path), "connector_name": "sandbox"}
    assert await host.call("decrypt_credential", password="right", **where) == VALUES
    with pytest.raises(PortRefusal) as caught:
        await host.call("decrypt_credential", password="wrong", **where)
    assert caught.value.kind == "forbidden"


async def test_an_account_keeps_one_password(host: Host, tmp_path: Path) -> None:
    await encrypt(host, tmp_path)

    await host.call("ensure_password", password="right", account_dir=str(tmp_path))
    with pytest.raises(PortRefusal, match="another CONFIG_PASSWORD"):
        await host.call("ensure_password", password="wrong", account_dir=str(tmp_path))
    with pytest.raises(PortRefusal) as caught:
        await encrypt(host, tmp_path, password="wrong")
    assert caught.value.kind == "forbidden"


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("sandbox_api_secret", {"sandbox_api_key": "k"}),
        ("sandbox_api_key", {"sandbox_api_key": " ", "sandbox_api_secret": "s"}),
        ("colour", {**VALUES, "colour": "red"}),
        ("connector", {**VALUES, "connector": "other"}),
    ],
)
async def test_a_missing_or_unknown_field_is_refused_by_name_and_nothing_is_written(
    host: Host, tmp_path: Path, field: str, values: dict[str, str]
) -> None:
    with pytest.raises(PortRefusal) as caught:
        await encrypt(host, tmp_path, **values)

    assert (caught.value.kind, caught.value.fields["field"]) == ("invalid", field)
    assert list(tmp_path.rglob("*.yml")) == []  # noqa: ASYNC240 - a test may block


async def test_hummingbots_own_login_reads_the_folder(host: Host, tmp_path: Path) -> None:
    await encrypt(host, tmp_path / "conf")
    script = """
import sys
from pathlib import Path
from aviary.actors.engine.processes.hummingbot_home import use_home
use_home(Path(sys.argv[1]))
from aviary.sandbox.connectors import register
register()
from hummingbot.client.config.config_crypt import ETHKeyFileSecretManger
from hummingbot.client.config.security import Security
assert Security.login(ETHKeyFileSecretManger("right"))
print(Security.api_keys("sandbox"))
"""
    command = [sys.executable, "-c", script, str(tmp_path)]

    result = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, check=False)

    assert str(VALUES) in result.stdout, result.stderr


async def test_working_keys_bring_the_balances_and_wrong_ones_the_exchanges_words(
    host: Host, exchange: SandboxProcess, keys: dict[str, str]
) -> None:
    good = {"sandbox_api_key": keys["key"], "sandbox_api_secret": keys["secret"]}
    balances = await host.call("check_credential", connector_name="sandbox", keys=good)
    assert balances["USDT"]["total"]

    with pytest.raises(PortRefusal) as caught:
        await host.call("check_credential", connector_name="sandbox", keys=VALUES)
    assert caught.value.kind == "rejected"
    assert caught.value.detail

    await exchange.faults("down", seconds=30)
    with pytest.raises(PortRefusal) as caught:
        await host.call("check_credential", connector_name="sandbox", keys=good)
    assert caught.value.kind == "unavailable"


async def test_the_catalogue_names_every_connector_with_its_fields(host: Host) -> None:
    connectors = await host.call("list_connectors")

    assert {"sandbox", "sandbox_perpetual", "binance", "binance_perpetual"} <= set(connectors)
    for connector in connectors:
        fields = await host.call("config_map", connector=connector)
        assert all({"type", "required"} <= set(field) for field in fields.values())
    assert await host.call("config_map", connector="binance") == {
        "binance_api_key": {"type": "SecretStr", "required": True},
        "binance_api_secret": {"type": "SecretStr", "required": True},
    }
    with pytest.raises(PortRefusal) as caught:
        await host.call("config_map", connector="no_such")
    assert caught.value.kind == "not_found"
