"""The change of the schema that keeps settings and what portfolios were worth; see `schema`."""

PORTFOLIO: tuple[str, ...] = (
    """CREATE TABLE kept_settings (
        name TEXT NOT NULL PRIMARY KEY,
        value TEXT NOT NULL,
        changed_at DOUBLE PRECISION NOT NULL
    )""",
    """CREATE TABLE portfolio_snapshots (
        id {serial},
        at BIGINT NOT NULL,
        account TEXT NOT NULL,
        connector TEXT NOT NULL,
        state TEXT NOT NULL,
        grain INTEGER NOT NULL,
        quote TEXT NOT NULL,
        value TEXT NOT NULL,
        profit TEXT NOT NULL,
        flow TEXT NOT NULL,
        untold TEXT NOT NULL,
        holdings TEXT NOT NULL
    )""",
    "CREATE INDEX portfolio_snapshots_at ON portfolio_snapshots (at, id)",
    "CREATE INDEX portfolio_snapshots_of ON portfolio_snapshots (account, connector, at)",
    "CREATE INDEX portfolio_snapshots_grain ON portfolio_snapshots (grain, at)",
)
