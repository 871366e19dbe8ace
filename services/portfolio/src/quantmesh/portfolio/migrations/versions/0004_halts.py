"""Halts of trading: one row each, written once and lifted once."""

from alembic import op

from quantmesh.chassis.migration import helpers

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE halt (
            id uuid PRIMARY KEY,
            kind text NOT NULL CHECK (kind IN ('breaker', 'operator', 'kill_switch')),
            symbol text NOT NULL,
            cause text NOT NULL CHECK (cause <> ''),
            imposed_by text NOT NULL,
            imposed_at timestamptz NOT NULL,
            market_time timestamptz,
            lifts_at timestamptz,
            level smallint NOT NULL CHECK (level >= 0),
            lifted_at timestamptz,
            lifted_by text NOT NULL DEFAULT '',
            version bigint NOT NULL,
            CHECK ((lifted_at IS NULL) = (lifted_by = ''))
        )
        """
    )
    # Also what every order that is placed or filled reads; two leaders that overlap impose a breaker once.
    op.execute("CREATE UNIQUE INDEX halt_in_force ON halt (kind, symbol, level) WHERE lifted_at IS NULL")
    op.execute("CREATE INDEX halt_of_index ON halt (market_time) WHERE level > 0")
    _history()
    lift = "UPDATE (lifted_at, lifted_by, version)"
    helpers.grant("halt", app=f"SELECT, INSERT, {lift}", system=f"SELECT, INSERT, {lift}")


def _history() -> None:
    """Nothing but the lifting of a halt in force can change a row; refuse_change comes with append-only tables."""
    op.execute(
        """
        CREATE FUNCTION refuse_halt_change() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF OLD.lifted_at IS NOT NULL OR NEW.lifted_at IS NULL OR
                (to_jsonb(NEW) - ARRAY['lifted_at', 'lifted_by', 'version']) <>
                (to_jsonb(OLD) - ARRAY['lifted_at', 'lifted_by', 'version'])
            THEN
                RAISE EXCEPTION 'a halt is lifted once, and nothing else of it changes' USING ERRCODE = '2F002';
            END IF;
            RETURN NEW;
        END $$
        """
    )
    op.execute("CREATE TRIGGER lifted_once BEFORE UPDATE ON halt FOR EACH ROW EXECUTE FUNCTION refuse_halt_change()")
    op.execute(
        "CREATE TRIGGER kept BEFORE DELETE OR TRUNCATE ON halt FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
    )
