"""Scripts: their sources, their saved configurations, and running one."""

from aviary.actors.messages.bots import DeployBot
from aviary.actors.messages.strategies import (
    DeleteConfig,
    DeleteScript,
    GetConfig,
    GetScript,
    GetScriptTemplate,
    ListConfigs,
    ListScripts,
    SaveConfig,
    SaveScript,
)
from aviary.http.routing import Row
from aviary.http.views.bots import Deployed
from aviary.http.views.strategies import SavedConfig, ScriptDefaults

LIBRARY, REGISTRY = "strategy-library", "bot-registry"

KIND = {"kind": "script"}

ONE = {"config_name": "loader"}
EXAMPLE = {**ONE, "config": {"script_file_name": "v2_with_controllers.py", "controllers_config": ["maker.yml"]}}

INSPECTION_TIMEOUT = 60.0
"""Seconds for a look into a script: two at a time, each importing it in a process of its own."""

DEPLOY_TIMEOUT = 85.0
"""Seconds for checking what is deployed, and for making the bot."""

ROWS = (
    Row("GET", "/scripts/", ListScripts, LIBRARY),
    Row("GET", "/scripts/configs/", ListConfigs, LIBRARY, fixed=KIND, answers=tuple[SavedConfig, ...]),
    Row("GET", "/scripts/configs/{config_name}", GetConfig, LIBRARY, fixed=KIND, answers=SavedConfig, example=ONE),
    Row(
        "POST",
        "/scripts/configs/{config_name}",
        SaveConfig,
        LIBRARY,
        fixed=KIND,
        whole="config",
        status=201,
        timeout=INSPECTION_TIMEOUT,
        example=EXAMPLE,
    ),
    Row("DELETE", "/scripts/configs/{config_name}", DeleteConfig, LIBRARY, fixed=KIND, example=ONE),
    Row("GET", "/scripts/{script_name}", GetScript, LIBRARY),
    Row("POST", "/scripts/{script_name}", SaveScript, LIBRARY, whole="source", status=201),
    Row("DELETE", "/scripts/{script_name}", DeleteScript, LIBRARY),
    Row(
        "GET",
        "/scripts/{script_name}/config/template",
        GetScriptTemplate,
        LIBRARY,
        timeout=INSPECTION_TIMEOUT,
        answers=ScriptDefaults,
    ),
    # The documented forms.
    Row("GET", "/scripts", ListScripts, LIBRARY),
    Row(
        "POST",
        "/scripts/run",
        DeployBot,
        REGISTRY,
        names={"account_name": "credentials_profile"},
        status=201,
        timeout=DEPLOY_TIMEOUT,
        answers=Deployed,
        example={"instance_name": "script-1", "script_config": "loader"},
    ),
)
