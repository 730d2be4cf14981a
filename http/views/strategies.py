"""What is answered about controllers, scripts and their configurations."""

from typing import Any

from aviary.actors.core.message import Value
from pydantic import ConfigDict


class ConfigField(Value):
    """A field of a controller's configuration."""

    default: Any
    """What it is if it is not given; null for a field that has to be."""
    type: str
    """The name of its type."""
    required: bool
    """Whether it has to be given."""


type ConfigFields = dict[str, ConfigField]
"""By the field's name."""

type ScriptDefaults = dict[str, Any]
"""By the field's name what it is if it is not given; null for a field that has to be."""


class SavedConfig(Value):
    """A saved configuration: the fields of its class, and these where they are."""

    model_config = ConfigDict(extra="allow")

    id: str = ""
    """The configuration's name; of a controller's."""
    config_name: str = ""
    """The configuration's name; of a script's."""
    controller_name: str = ""
    """The controller that it is for."""
    controller_type: str = ""
    """The type of that controller."""
    script_file_name: str = ""
    """The script that it is for."""
    error: str = ""
    """Why it can't be read; left out if it can."""
