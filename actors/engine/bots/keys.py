"""Decrypting a bot's keys in the time of one: each secret costs 0.4 s of one core, and its own thread."""

import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from hummingbot.client.config import security
from hummingbot.client.config.config_crypt import BaseSecretsManager, ETHKeyFileSecretManger

THREADS = 4

_SECRET = re.compile(r"^\s*\w+:\s*['\"]?([0-9a-f]{200,})['\"]?\s*$", re.MULTILINE)
"""A line of a connector's file whose value is a key file in hexadecimal."""


class WrongPassword(Exception):
    """The password does not open the keys."""


def open_keys(password: str, folder: Path) -> BaseSecretsManager:
    """A secrets manager that has decrypted everything in `folder` already, side by side.

    Keys that open prove the password, so that hummingbot's own check of it, as dear as a key, is left out.
    Raises `WrongPassword`.
    """
    manager = _Opened(password)
    secrets = [value for path in sorted(folder.glob("*.yml")) for value in _SECRET.findall(path.read_text())]
    if not secrets:
        return manager
    plain = ETHKeyFileSecretManger(password)
    with ThreadPoolExecutor(THREADS) as threads:
        try:
            opened = list(threads.map(lambda value: plain.decrypt_secret_value("", value), secrets))
        except ValueError as error:
            if "MAC mismatch" not in str(error):
                raise
            raise WrongPassword from None
    manager.opened = dict(zip(secrets, opened, strict=True))
    security.validate_password = lambda _manager: True
    return manager


class _Opened(ETHKeyFileSecretManger):  # type: ignore[misc]
    opened: dict[str, str] = {}  # noqa: RUF012 - replaced as a whole, never changed

    def decrypt_secret_value(self, attr: str, value: str) -> str:
        known = self.opened.get(value)
        return known if known is not None else str(super().decrypt_secret_value(attr, value))
