"""A database's actors, as the product has them, over a file of the test's own."""

from pathlib import Path

from aviary.actors.keeping.database import READERS, WRITER, Database, DatabaseReader
from aviary.supervisors.spec import ChildSpec


def database_children(path: Path) -> tuple[ChildSpec, ...]:
    """The one who writes, and the readers."""
    readers = (ChildSpec(reader, lambda: DatabaseReader(None, path)) for reader in READERS)
    return (ChildSpec(WRITER, lambda: Database(None, path)), *readers)
