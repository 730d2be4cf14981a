"""Controllers: their sources, their saved configurations, and those of deployed bots."""

from aviary.actors.messages.bots import DeployBot, GetBotConfigs, UpdateBotConfig, UpdateStrategy
from aviary.actors.messages.strategies import (
    DeleteConfig,
    DeleteController,
    GetConfig,
    GetController,
    GetControllerTemplate,
    ListConfigs,
    ListControllers,
    SaveConfig,
    SaveController,
    ValidateControllerConfig,
)
from aviary.http.routing import Row
from aviary.http.views.bots import BotConfig, ChangedConfig, ChangedStrategy, Deployed
from aviary.http.views.strategies import ConfigFields, SavedConfig

LIBRARY, REGISTRY = "strategy-library", "bot-registry"

ONE = "/controllers/{controller_type}/{controller_name}"
KIND = {"kind": "controller"}

INSPECTION_TIMEOUT = 60.0
"""Seconds for a look into a strategy: two at a time, each importing it in a process of its own."""

CHANGE_TIMEOUT = 100.0
"""Seconds for checking a change of a bot's configuration, and for the bot to take it over."""

DEPLOY_TIMEOUT = 85.0
"""Seconds for checking what is deployed, and for making the bot."""

ROWS = (
    Row("GET", "/controllers/", ListControllers, LIBRARY),
    Row("GET", "/controllers/configs/", ListConfigs, LIBRARY, fixed=KIND, answers=tuple[SavedConfig, ...]),
    Row("GET", "/controllers/configs/{config_name}", GetConfig, LIBRARY, fixed=KIND, answers=SavedConfig),
    Row(
        "POST",
        "/controllers/configs/{config_name}",
        SaveConfig,
        LIBRARY,
        fixed=KIND,
        whole="config",
        status=201,
        timeout=INSPECTION_TIMEOUT,
    ),
    Row("DELETE", "/controllers/configs/{config_name}", DeleteConfig, LIBRARY, fixed=KIND),
    Row("GET", ONE, GetController, LIBRARY),
    Row("POST", ONE, SaveController, LIBRARY, whole="source", status=201),
    Row("DELETE", ONE, DeleteController, LIBRARY),
    Row(
        "GET",
        f"{ONE}/config/template",
        GetControllerTemplate,
        LIBRARY,
        timeout=INSPECTION_TIMEOUT,
        answers=ConfigFields,
    ),
    Row(
        "POST",
        f"{ONE}/config/validate",
        ValidateControllerConfig,
        LIBRARY,
        whole="config",
        timeout=INSPECTION_TIMEOUT,
    ),
    Row("GET", "/controllers/bots/{bot_name}/configs", GetBotConfigs, REGISTRY, answers=tuple[BotConfig, ...]),
    Row(
        "POST",
        "/controllers/bots/{bot_name}/{controller_name}/config",
        UpdateBotConfig,
        REGISTRY,
        names={"controller_name": "controller"},
        whole="changes",
        timeout=CHANGE_TIMEOUT,
        answers=ChangedConfig,
    ),
    # The documented forms.
    Row("GET", "/controllers", ListControllers, LIBRARY),
    Row(
        "POST",
        "/controllers/{name}/deploy",
        DeployBot,
        REGISTRY,
        names={"name": "controller", "account_name": "credentials_profile"},
        status=201,
        timeout=DEPLOY_TIMEOUT,
        answers=Deployed,
        example={"instance_name": "maker-2", "controller": "maker"},
    ),
    Row(
        "PUT",
        "/controllers/{id}/config",
        UpdateStrategy,
        REGISTRY,
        names={"id": "controller_id"},
        whole="changes",
        timeout=CHANGE_TIMEOUT,
        answers=ChangedStrategy,
    ),
)
