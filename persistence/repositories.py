"""Everything that can be kept, as one value: what a transaction is handed."""

import peewee
from aviary.persistence.bots import Bots
from aviary.persistence.fills import Fills
from aviary.persistence.journal import Journal
from aviary.persistence.last_known import LastKnown
from aviary.persistence.orders import Orders


class Repositories:
    """The repositories of one database. Blocking: for the database's own threads only."""

    def __init__(self, database: peewee.Database) -> None:
        self.orders = Orders(database)
        self.fills = Fills(database)
        self.bots = Bots(database)
        self.journal = Journal(database)
        self.last_known = LastKnown(database)
