"""Corrections, further lot methods, options, and accounts that may owe."""

from alembic import op

from quantmesh.chassis.migration import helpers

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    _transactions()
    _accounts()
    helpers.grant("imported_row", app="DELETE")


def _transactions() -> None:
    # `option`: the terms under which it was posted; `lots`: those that a sale names.
    op.execute(
        """
        ALTER TABLE transaction
            ADD COLUMN reverses uuid,
            ADD COLUMN side text CHECK (side IN ('long', 'short')),
            ADD COLUMN lots jsonb,
            ADD COLUMN option jsonb,
            ADD CONSTRAINT reversal_names_what_it_reverses CHECK ((type = 'reversal') = (reverses IS NOT NULL))
        """
    )
    # One reversal each, whatever the code thinks.
    op.execute("CREATE UNIQUE INDEX transaction_reversed_once ON transaction (portfolio_id, reverses)")
    op.execute(
        "CREATE INDEX transaction_by_underlying ON transaction (portfolio_id, (option ->> 'underlying'))"
        " WHERE option IS NOT NULL"
    )
    op.execute("CREATE INDEX transaction_by_expiry ON transaction ((option ->> 'expiry')) WHERE option IS NOT NULL")


def _accounts() -> None:
    op.execute("ALTER TABLE portfolio ADD COLUMN margin_enabled boolean NOT NULL DEFAULT false")
    op.execute("ALTER TABLE portfolio DROP CONSTRAINT portfolio_lot_method_check")
    op.execute(
        "ALTER TABLE portfolio ADD CONSTRAINT portfolio_lot_method_check"
        " CHECK (lot_method IN ('average', 'fifo', 'lifo', 'specific'))"
    )
    # Less than zero is the portfolio's own decision, which a CHECK on this row cannot see.
    op.execute("ALTER TABLE holding DROP CONSTRAINT holding_amount_check")
    op.execute(
        """
        CREATE FUNCTION refuse_debt() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF NOT EXISTS (SELECT FROM portfolio WHERE id = NEW.portfolio_id AND margin_enabled) THEN
                RAISE EXCEPTION '% of % would be %', NEW.commodity, NEW.portfolio_id, NEW.amount
                    USING ERRCODE = 'check_violation', HINT = 'the portfolio''s margin is not enabled';
            END IF;
            RETURN NEW;
        END $$
        """
    )
    op.execute(
        """
        CREATE TRIGGER no_debt BEFORE INSERT OR UPDATE OF amount ON holding
        FOR EACH ROW WHEN (NEW.amount < 0) EXECUTE FUNCTION refuse_debt()
        """
    )
