"""The machine that the server runs on, and the room that files take."""

from aviary.actors.messages.resources import GetResources, GetStorage
from aviary.http.routing import Row

RESOURCES = "resources"

ROWS = (
    Row("GET", "/system/resources", GetResources, RESOURCES),
    Row("GET", "/storage/", GetStorage, RESOURCES, timeout=60.0),
)
