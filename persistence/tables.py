"""The tables. Rows never leave this package: repositories answer with frozen values.

A query names its database when it is run (`.bind`), so that one process can hold several.
"""

from decimal import Decimal
from typing import Any

from peewee import AutoField, BooleanField, CharField, CompositeKey, FloatField, IntegerField, Model, TextField


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
    client_order_id = CharField(max_length=100)
    account = CharField(max_length=100)
    connector = CharField(max_length=100)
    trading_pair = CharField(max_length=100)
    side = CharField(max_length=4)
    order_type = CharField(max_length=20)
    amount = DecimalTextField()
    price = DecimalTextField(null=True)
    position_action = CharField(max_length=10)
    state = CharField(max_length=20, index=True)
    exchange_order_id = CharField(max_length=100, null=True)
    filled_amount = DecimalTextField()
    filled_quote = DecimalTextField()
    fee_paid = DecimalTextField(null=True)
    fee_currency = CharField(max_length=50, null=True)
    error = TextField(null=True)
    cancel_requested = BooleanField(default=False)
    created_at = FloatField(index=True)
    updated_at = FloatField()

    class Meta:
        """One row an order of one credential."""

        table_name = "orders"
        indexes = ((("account", "connector", "client_order_id"), True),)


class FillRow(Row):
    """A trade of one of our orders."""

    id = AutoField()
    trade_id = CharField(max_length=150)
    client_order_id = CharField(max_length=100, index=True)
    account = CharField(max_length=100)
    connector = CharField(max_length=100)
    trading_pair = CharField(max_length=100)
    side = CharField(max_length=4)
    amount = DecimalTextField()
    price = DecimalTextField()
    fee_paid = DecimalTextField()
    fee_currency = CharField(max_length=50, null=True)
    timestamp = FloatField(index=True)

    class Meta:
        """The exchange's trade id is unique in its market: a replay changes nothing."""

        table_name = "fills"
        indexes = ((("account", "connector", "trading_pair", "trade_id"), True),)


class AccountRow(Row):
    """An account."""

    name = CharField(max_length=100, primary_key=True)
    created_at = FloatField()

    class Meta:
        """The plural, since `account` is a noun of the field."""

        table_name = "accounts"


class CredentialRow(Row):
    """That an account has a key for a connector; the key itself is in an encrypted file."""

    account = CharField(max_length=100)
    connector = CharField(max_length=100)
    added_at = FloatField()

    class Meta:
        """One key a connector and account."""

        table_name = "credentials"
        primary_key = CompositeKey("account", "connector")


class BotRow(Row):
    """A bot: what it should be doing, and the process that does it."""

    name = CharField(max_length=100, primary_key=True)
    desired = CharField(max_length=10, index=True)
    runtime = CharField(max_length=20)
    spec = TextField()
    process = TextField(null=True)
    created_at = FloatField()
    updated_at = FloatField()

    class Meta:
        """The plural."""

        table_name = "bots"


class BotRunRow(Row):
    """One deployment of a bot, kept after the bot is gone."""

    id = AutoField()
    bot_name = CharField(max_length=100, index=True)
    instance_name = CharField(max_length=100)
    deployed_at = FloatField(index=True)
    stopped_at = FloatField(null=True)
    strategy_type = CharField(max_length=20)
    strategy_name = CharField(max_length=200)
    config_name = CharField(max_length=200, null=True)
    account_name = CharField(max_length=100)
    image_version = CharField(max_length=200, null=True)
    deployment_status = CharField(max_length=20)
    run_status = CharField(max_length=20)
    deployment_config = TextField()
    final_status = TextField(null=True)
    error_message = TextField(null=True)

    class Meta:
        """The plural."""

        table_name = "bot_runs"


class PerformanceRow(Row):
    """What a controller of a bot reported at one moment."""

    id = AutoField()
    bot_name = CharField(max_length=100)
    controller_id = CharField(max_length=200)
    at = FloatField()
    performance = TextField()

    class Meta:
        """Read by bot and time."""

        table_name = "controller_performance"
        indexes = ((("bot_name", "controller_id", "at"), False),)


class JournalRow(Row):
    """An entry of the journal."""

    id = AutoField()
    event_id = CharField(max_length=40, unique=True)
    at = FloatField(index=True)
    kind = CharField(max_length=20, index=True)
    address = CharField(max_length=400, index=True)
    incarnation = IntegerField()
    reason = TextField()
    crash_id = CharField(max_length=40, null=True)
    message_kind = CharField(max_length=100, null=True)
    mailbox = IntegerField()
    detail = TextField()

    class Meta:
        """The noun of the field."""

        table_name = "journal"


class JobRow(Row):
    """A long job's present step, so that it is continued or undone after a crash."""

    id = CharField(max_length=40, primary_key=True)
    kind = CharField(max_length=40)
    subject = CharField(max_length=200, index=True)
    step = CharField(max_length=40)
    state = CharField(max_length=20, index=True)
    detail = TextField()
    updated_at = FloatField()

    class Meta:
        """The plural."""

        table_name = "jobs"


class MigrationRow(Row):
    """A schema change that has been applied."""

    number = IntegerField(primary_key=True)
    name = CharField(max_length=100)
    applied_at = FloatField()

    class Meta:
        """The plural."""

        table_name = "migrations"


ALL: tuple[type[Row], ...] = (
    OrderRow,
    FillRow,
    AccountRow,
    CredentialRow,
    BotRow,
    BotRunRow,
    PerformanceRow,
    JournalRow,
    JobRow,
)
"""Every table but that of the migrations themselves."""

type Query = Any
"""peewee's queries are built at run time; its stubs do not follow them."""
