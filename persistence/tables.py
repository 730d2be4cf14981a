"""The tables. Rows never leave this package: repositories answer with frozen values.

A query names its database when it is run (`.bind`), so that one process can hold several. The
tables themselves, with their keys and indexes, are made by the changes in `schema`.
"""

from decimal import Decimal
from typing import Any

from peewee import AutoField, BooleanField, FloatField, IntegerField, Model, TextField


def clean(text: str) -> str:
    """A text as both databases can keep it: NUL and halves of surrogate pairs are spelled out."""
    return text.replace("\0", "\\0").encode("utf-8", "backslashreplace").decode()


class CleanTextField(TextField):
    """Text of any origin: what an exchange or a traceback says never fails to be kept or looked up."""

    def db_value(self, value: str | None) -> str | None:
        """The text to keep."""
        return None if value is None else clean(value)


class DecimalTextField(TextField):
    """A `Decimal` kept as its text, so that every digit comes back on every database."""

    def db_value(self, value: Decimal | None) -> str | None:
        """The text of a decimal."""
        return None if value is None else str(value)

    def python_value(self, value: str | None) -> Decimal | None:
        """The decimal of a text."""
        return None if value is None else Decimal(value)


class Row(Model):
    """What all tables share."""

    class Meta:
        """Singular names, as the field's nouns."""

        legacy_table_names = False


class OrderRow(Row):
    """An order, from its intent to its end. Times are Unix seconds."""

    id = AutoField()
    client_order_id = CleanTextField()
    account = CleanTextField()
    connector = CleanTextField()
    trading_pair = CleanTextField()
    side = CleanTextField()
    order_type = CleanTextField()
    amount = DecimalTextField()
    price = DecimalTextField(null=True)
    position_action = CleanTextField()
    state = CleanTextField()
    exchange_order_id = CleanTextField(null=True)
    filled_amount = DecimalTextField()
    filled_quote = DecimalTextField()
    fee_paid = DecimalTextField(null=True)
    fee_currency = CleanTextField(null=True)
    error = CleanTextField(null=True)
    cancel_requested = BooleanField()
    created_at = FloatField()
    updated_at = FloatField()

    class Meta:
        """One row an order of one credential."""

        table_name = "orders"


class FillRow(Row):
    """A trade of one of our orders."""

    id = AutoField()
    trade_id = CleanTextField()
    client_order_id = CleanTextField()
    account = CleanTextField()
    connector = CleanTextField()
    trading_pair = CleanTextField()
    side = CleanTextField()
    amount = DecimalTextField()
    price = DecimalTextField()
    fee_paid = DecimalTextField()
    fee_currency = CleanTextField(null=True)
    timestamp = FloatField()

    class Meta:
        """A trade is unique in its order: a replay changes nothing, and both sides of a trade may be ours."""

        table_name = "fills"


class BotRow(Row):
    """A bot: what it should be doing, and the process that does it."""

    name = CleanTextField(primary_key=True)
    desired = CleanTextField()
    runtime = CleanTextField()
    spec = CleanTextField()
    process = CleanTextField(null=True)
    created_at = FloatField()
    updated_at = FloatField()

    class Meta:
        """The plural."""

        table_name = "bots"


class BotRunRow(Row):
    """One deployment of a bot, kept after the bot is gone."""

    id = AutoField()
    bot_name = CleanTextField()
    instance_name = CleanTextField()
    deployed_at = FloatField()
    stopped_at = FloatField(null=True)
    strategy_type = CleanTextField()
    strategy_name = CleanTextField()
    config_name = CleanTextField(null=True)
    account_name = CleanTextField()
    image_version = CleanTextField(null=True)
    deployment_status = CleanTextField()
    run_status = CleanTextField()
    deployment_config = CleanTextField()
    final_status = CleanTextField(null=True)
    error_message = CleanTextField(null=True)

    class Meta:
        """The plural."""

        table_name = "bot_runs"


class PerformanceRow(Row):
    """What a controller of a bot reported at one moment."""

    id = AutoField()
    bot_name = CleanTextField()
    controller_id = CleanTextField()
    at = FloatField()
    performance = CleanTextField()

    class Meta:
        """Read by bot and time."""

        table_name = "controller_performance"


class JournalRow(Row):
    """An entry of the journal."""

    id = AutoField()
    event_id = CleanTextField()
    at = FloatField()
    kind = CleanTextField()
    address = CleanTextField()
    incarnation = IntegerField()
    reason = CleanTextField()
    crash_id = CleanTextField(null=True)
    message_kind = CleanTextField(null=True)
    mailbox = IntegerField()
    detail = CleanTextField()

    class Meta:
        """The noun of the field."""

        table_name = "journal"


class LastKnownRow(Row):
    """What the outside world said last of a subject, as JSON."""

    subject = CleanTextField(primary_key=True)
    facts = CleanTextField()
    known_at = FloatField()

    class Meta:
        """What it is, not how many."""

        table_name = "last_known"


class MigrationRow(Row):
    """A schema change that has been applied."""

    number = IntegerField(primary_key=True)
    name = CleanTextField()
    checksum = CleanTextField()
    applied_at = FloatField()

    class Meta:
        """The plural."""

        table_name = "migrations"


ALL: tuple[type[Row], ...] = (
    OrderRow,
    FillRow,
    BotRow,
    BotRunRow,
    PerformanceRow,
    JournalRow,
    LastKnownRow,
)
"""Every table but that of the migrations themselves."""

type Query = Any
"""peewee's queries are built at run time; its stubs do not follow them."""
