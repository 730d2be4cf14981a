"""Which connectors there are, and what each of them wants to know: needs no connection and no keys."""

import asyncio
import importlib
from typing import Any

from aviary.actors.core.ports.errors import PortRefusal
from hummingbot.client.settings import AllConnectorSettings, ConnectorSetting
from hummingbot.data_feed.candles_feed.candles_factory import CandlesFactory


def settings_of(connector: str) -> ConnectorSetting:
    """The settings of a connector; refused as `not_found` if there is none of that name."""
    settings = AllConnectorSettings.get_connector_settings().get(connector)
    if settings is None or settings.uses_gateway_generic_connector():
        raise PortRefusal("not_found", f"there is no connector {connector}", field="connector_name")
    return settings


async def load(connector: str) -> None:
    """Import a connector's code, in a thread: some of it takes seconds.

    `unsupported` if it needs a package that is not installed.
    """
    settings = settings_of(connector)
    try:
        await asyncio.to_thread(importlib.import_module, settings.module_path())
    except ModuleNotFoundError as error:
        raise PortRefusal("unsupported", f"{connector} needs the package {error.name}") from error


async def list_connectors() -> list[str]:
    """All connectors a credential can be added for."""
    settings = AllConnectorSettings.get_connector_settings()
    return sorted(name for name, setting in settings.items() if not setting.uses_gateway_generic_connector())


async def list_candle_connectors() -> list[str]:
    """All connectors with candles."""
    return sorted(CandlesFactory._candles_map)  # noqa: SLF001 - there is no other list


async def config_map(connector: str) -> dict[str, dict[str, Any]]:
    """The fields of a connector's credential: `{field: {"type", "required"}}`, and `default` if it has one."""
    keys = settings_of(connector).config_keys
    if keys is None:
        return {}
    fields: dict[str, dict[str, Any]] = {}
    for name, info in type(keys).model_fields.items():
        if name == "connector":
            continue
        annotation = info.annotation
        required = info.is_required()
        kind = getattr(annotation, "__name__", None) or str(annotation).replace("typing.", "")
        fields[name] = {"type": kind, "required": required}
        if not required and isinstance(info.default, str | int | float | bool):
            fields[name]["default"] = info.default
    return fields
