"""Forecasts and models, which are public, and the jobs that train, which have owners."""

from alembic import op

from quantmesh.chassis.migration import helpers

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE model (
            position bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
            version text PRIMARY KEY,
            name text NOT NULL,
            timeframe text NOT NULL CHECK (timeframe IN ('1d', '1w', '1m', '3m')),
            symbols text[] NOT NULL,
            skill jsonb NOT NULL,
            trained_at timestamptz NOT NULL,
            training_end timestamptz NOT NULL,
            active boolean NOT NULL
        )
        """
    )
    op.execute("CREATE UNIQUE INDEX model_active ON model (timeframe) WHERE active")
    op.execute(
        """
        CREATE TABLE forecast (
            id uuid PRIMARY KEY,
            symbol text NOT NULL,
            timeframe text NOT NULL CHECK (timeframe IN ('1d', '1w', '1m', '3m')),
            model text NOT NULL,
            model_version text NOT NULL,
            as_of timestamptz NOT NULL,
            last_price double precision NOT NULL CHECK (last_price > 0),
            predicted_price double precision NOT NULL CHECK (predicted_price > 0),
            confidence_lower double precision NOT NULL CHECK (confidence_lower > 0),
            confidence_upper double precision NOT NULL CHECK (confidence_upper < 'infinity'),
            direction text NOT NULL CHECK (direction IN ('up', 'down', 'flat')),
            confidence_score double precision NOT NULL CHECK (confidence_score BETWEEN 0 AND 1),
            skill jsonb NOT NULL,
            note text NOT NULL,
            published_at timestamptz NOT NULL,
            CHECK (confidence_lower <= predicted_price AND predicted_price <= confidence_upper),
            -- A corrected close is another close: it gets a forecast of its own.
            UNIQUE (symbol, timeframe, model_version, as_of, last_price)
        )
        """
    )
    # What was forecast stays as it was: a track record that could be edited would be none.
    helpers.append_only("forecast")
    helpers.grant("model", system="SELECT, INSERT, UPDATE")
    helpers.create_outbox()
    helpers.create_inbox()
    helpers.create_idempotency()
    helpers.create_jobs()
