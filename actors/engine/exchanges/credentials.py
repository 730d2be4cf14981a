"""Credentials at rest: hummingbot's own key files, one YAML file a connector, each secret an encrypted key file.

The format is the one that hummingbot's `Security` reads and writes, so a bot started on such a folder finds
its keys; its class-level state (the last login, the last account's keys) is not touched. Deriving a key
takes 0.4 s of a processor each time, so it is done in threads, and only for the connector asked for.
"""

import asyncio
from pathlib import Path
from typing import Any

import orjson
import yaml
from aviary.actors.core.port_errors import PortRefusal
from aviary.actors.engine.exchanges.catalogue import settings_of
from aviary.config.files import replace_file
from hummingbot.client.config.config_crypt import PASSWORD_VERIFICATION_WORD, ETHKeyFileSecretManger
from pydantic import SecretStr, ValidationError

VERIFICATION_FILE = ".password_verification"


async def encrypt_credential(password: str, account_dir: str, connector_name: str, values: dict[str, Any]) -> None:
    """Write `account_dir/connectors/<connector>.yml`, replacing it atomically.

    Refused as `invalid`, with the `field`, if a value is missing, unknown or of the wrong kind. The folder's
    password verification is written too if it is missing, and checked (`forbidden`) if not.
    """
    fields = await asyncio.to_thread(validated, connector_name, values)
    await ensure_password(password, account_dir)
    secrets = [name for name, value in fields.items() if isinstance(value, SecretStr)]
    manager = ETHKeyFileSecretManger(password)
    encrypted = await asyncio.gather(
        *(
            asyncio.to_thread(manager.encrypt_secret_value, name, fields[name].get_secret_value())
            for name in secrets
        )
    )
    # Enumerations and Decimals as JSON would have them, which is how hummingbot's models read them back.
    values_at_rest = orjson.loads(
        orjson.dumps({**fields, **dict(zip(secrets, encrypted, strict=True))}, default=str)
    )
    document = {"connector": connector_name, **values_at_rest}
    path = credential_path(account_dir, connector_name)
    await asyncio.to_thread(replace_file, path, yaml.safe_dump(document, sort_keys=False))


async def decrypt_credential(password: str, account_dir: str, connector_name: str) -> dict[str, Any]:
    """The values of one credential in clear. Refused as `not_found`, or `forbidden` for a wrong password."""
    settings = settings_of(connector_name)
    path = credential_path(account_dir, connector_name)
    if not path.is_file():
        raise PortRefusal("not_found", f"there is no credential for {connector_name}")
    document = yaml.safe_load(await asyncio.to_thread(path.read_text, "utf-8")) or {}
    document.pop("connector", None)
    if settings.config_keys is None:
        return document
    secrets = [
        name
        for name, info in type(settings.config_keys).model_fields.items()
        if info.annotation is SecretStr and document.get(name)
    ]
    manager = ETHKeyFileSecretManger(password)
    try:
        clear = await asyncio.gather(
            *(asyncio.to_thread(manager.decrypt_secret_value, name, document[name]) for name in secrets)
        )
    except ValueError as error:
        raise PortRefusal("forbidden", "the credential cannot be decrypted with this CONFIG_PASSWORD") from error
    return {**document, **dict(zip(secrets, clear, strict=True))}


async def password_check(password: str, account_dir: str) -> bool:
    """Whether the folder was encrypted with this password; true if it holds nothing yet."""
    path = Path(account_dir) / VERIFICATION_FILE
    if not path.is_file():
        return True
    manager = ETHKeyFileSecretManger(password)
    word = await asyncio.to_thread(path.read_text)
    try:
        clear = await asyncio.to_thread(manager.decrypt_secret_value, PASSWORD_VERIFICATION_WORD, word)
    except ValueError:
        return False
    return bool(clear == PASSWORD_VERIFICATION_WORD)


async def ensure_password(password: str, account_dir: str) -> None:
    """Check the folder's password verification, or write it if there is none; `forbidden` if it differs."""
    if not await password_check(password, account_dir):
        raise PortRefusal("forbidden", "the account's keys are encrypted with another CONFIG_PASSWORD")
    path = Path(account_dir) / VERIFICATION_FILE
    if not path.is_file():
        manager = ETHKeyFileSecretManger(password)
        word = PASSWORD_VERIFICATION_WORD
        await asyncio.to_thread(
            replace_file, path, await asyncio.to_thread(manager.encrypt_secret_value, word, word)
        )


def validated(connector_name: str, values: dict[str, Any]) -> dict[str, Any]:
    """The values as the connector's settings take them, secrets as `SecretStr`; refused as `invalid`."""
    keys = settings_of(connector_name).config_keys
    if keys is None:
        raise PortRefusal("invalid", f"{connector_name} takes no credential", field="connector_name")
    fields = type(keys).model_fields
    for name in values:
        if name not in fields or name == "connector":
            raise PortRefusal("invalid", f"{connector_name} has no field {name}", field=name)
    for name, info in fields.items():
        if name != "connector" and info.is_required() and not str(values.get(name) or "").strip():
            raise PortRefusal("invalid", f"{name} is missing", field=name)
    try:
        model = type(keys).model_validate({"connector": connector_name, **values})
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        raise PortRefusal("invalid", f"{field}: {first['msg']}", field=field) from None
    return {name: getattr(model, name) for name in fields if name != "connector"}


def plain(values: dict[str, Any]) -> dict[str, Any]:
    """The values with secrets in clear, as a connector's constructor takes them."""
    return {
        name: value.get_secret_value() if isinstance(value, SecretStr) else value for name, value in values.items()
    }


def credential_path(account_dir: str, connector_name: str) -> Path:
    """Where a connector's credential is kept."""
    return Path(account_dir) / "connectors" / f"{connector_name}.yml"
