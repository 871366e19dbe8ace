"""Portfolios, the journal, orders, and the account's log."""

from alembic import op

from quantmesh.chassis.migration import helpers

revision = "0001"
down_revision = None


def upgrade() -> None:
    _portfolio()
    _journal()
    _balanced_at_commit()
    _holding()
    _placed_order()
    _account_event()
    helpers.create_outbox()
    helpers.create_idempotency()


def _portfolio() -> None:
    # `recorded_at` is the time of the last recording: it never runs backwards along `seq`, whatever the clock does.
    op.execute(
        """
        CREATE TABLE portfolio (
            id uuid PRIMARY KEY,
            owner_id uuid NOT NULL,
            name text NOT NULL,
            base_currency text NOT NULL,
            lot_method text NOT NULL CHECK (lot_method IN ('average', 'fifo')),
            version bigint NOT NULL DEFAULT 1,
            seq bigint NOT NULL DEFAULT 0 CHECK (seq >= 0),
            created_at timestamptz NOT NULL,
            recorded_at timestamptz NOT NULL,
            deleted_at timestamptz
        )
        """
    )
    op.execute("CREATE INDEX portfolio_of_owner ON portfolio (owner_id, id) WHERE deleted_at IS NULL")
    helpers.enable_row_level_security("portfolio")
    helpers.grant("portfolio", app="SELECT, INSERT, UPDATE", system="SELECT")


def _journal() -> None:
    # A transaction is the business event and the head of its one entry; `postings` says how many sides that has.
    op.execute(
        """
        CREATE TABLE transaction (
            portfolio_id uuid NOT NULL REFERENCES portfolio,
            id uuid NOT NULL,
            owner_id uuid NOT NULL,
            seq bigint NOT NULL,
            type text NOT NULL,
            symbol text NOT NULL,
            quantity numeric(38, 18),
            price numeric(38, 18),
            amount numeric(38, 18),
            fee numeric(38, 18),
            split_ratio numeric(38, 18),
            currency text NOT NULL,
            note text NOT NULL,
            cash_effect numeric(38, 18) NOT NULL,
            postings smallint NOT NULL CHECK (postings >= 2),
            executed_at timestamptz NOT NULL,
            recorded_at timestamptz NOT NULL,
            order_id uuid,
            import_id uuid,
            PRIMARY KEY (portfolio_id, id),
            UNIQUE (portfolio_id, seq)
        )
        """
    )
    op.execute("CREATE INDEX transaction_by_execution ON transaction (portfolio_id, executed_at, seq)")
    op.execute(
        "CREATE INDEX transaction_by_symbol ON transaction (portfolio_id, symbol, executed_at, seq) WHERE symbol <> ''"
    )
    op.execute("CREATE INDEX transaction_by_id ON transaction (id)")
    op.execute(
        """
        CREATE TABLE posting (
            portfolio_id uuid NOT NULL,
            transaction_id uuid NOT NULL,
            ordinal smallint NOT NULL CHECK (ordinal >= 0),
            owner_id uuid NOT NULL,
            account text NOT NULL,
            commodity text NOT NULL,
            amount numeric(38, 18) NOT NULL,
            PRIMARY KEY (portfolio_id, transaction_id, ordinal),
            FOREIGN KEY (portfolio_id, transaction_id) REFERENCES transaction
        )
        """
    )
    # Apart from the ledger, because it alone may be erased: without it a proof's payload cannot be rebuilt.
    op.execute(
        """
        CREATE TABLE transaction_salt (
            portfolio_id uuid NOT NULL,
            transaction_id uuid NOT NULL,
            owner_id uuid NOT NULL,
            salt bytea NOT NULL CHECK (length(salt) = 32),
            PRIMARY KEY (portfolio_id, transaction_id)
        )
        """
    )
    for table in ("transaction", "posting", "transaction_salt"):
        helpers.enable_row_level_security(table)
    for table in ("transaction", "posting"):
        helpers.append_only(table)
    helpers.grant("transaction_salt", app="SELECT, INSERT", system="SELECT, DELETE")


def _balanced_at_commit() -> None:
    """A committed entry has all its sides, and per commodity they sum to zero; afterwards no side can be added."""
    op.execute(
        """
        CREATE FUNCTION require_balanced_entry() RETURNS trigger LANGUAGE plpgsql AS $$
        DECLARE
            sides bigint;
            unbalanced text;
        BEGIN
            SELECT coalesce(sum(per_commodity.sides), 0), min(per_commodity.commodity) FILTER (WHERE total <> 0)
            INTO sides, unbalanced
            FROM (
                SELECT commodity, count(*) AS sides, sum(amount) AS total
                FROM posting
                WHERE portfolio_id = NEW.portfolio_id AND transaction_id = NEW.id
                GROUP BY commodity
            ) AS per_commodity;
            IF sides <> NEW.postings THEN
                RAISE EXCEPTION 'transaction % has % postings, not %', NEW.id, sides, NEW.postings
                    USING ERRCODE = 'check_violation';
            END IF;
            IF unbalanced IS NOT NULL THEN
                RAISE EXCEPTION 'transaction % does not balance in %', NEW.id, unbalanced
                    USING ERRCODE = 'check_violation';
            END IF;
            RETURN NULL;
        END $$
        """
    )
    op.execute(
        """
        CREATE CONSTRAINT TRIGGER balanced AFTER INSERT ON transaction DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW EXECUTE FUNCTION require_balanced_entry()
        """
    )
    # One look per statement instead of a deferred one per posting: ordinals are unique and below the declared number,
    # so an entry that was whole at its commit has no place left.
    op.execute(
        """
        CREATE FUNCTION refuse_surplus_posting() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF EXISTS (
                SELECT FROM added AS a
                JOIN transaction AS t ON t.portfolio_id = a.portfolio_id AND t.id = a.transaction_id
                WHERE a.ordinal >= t.postings
            ) THEN
                RAISE EXCEPTION 'an entry has no more postings than its transaction says'
                    USING ERRCODE = 'check_violation';
            END IF;
            RETURN NULL;
        END $$
        """
    )
    op.execute(
        """
        CREATE TRIGGER no_surplus AFTER INSERT ON posting REFERENCING NEW TABLE AS added
        FOR EACH STATEMENT EXECUTE FUNCTION refuse_surplus_posting()
        """
    )


def _holding() -> None:
    # Today's balances of the asset accounts, so that recording does not sum the journal; derived, and rebuildable.
    op.execute(
        """
        CREATE TABLE holding (
            portfolio_id uuid NOT NULL REFERENCES portfolio,
            account text NOT NULL,
            commodity text NOT NULL,
            owner_id uuid NOT NULL,
            amount numeric NOT NULL CHECK (amount >= 0),
            PRIMARY KEY (portfolio_id, account, commodity)
        )
        """
    )
    helpers.enable_row_level_security("holding")
    helpers.grant("holding", app="SELECT, INSERT, UPDATE", system="SELECT")


def _placed_order() -> None:
    op.execute(
        """
        CREATE TABLE placed_order (
            portfolio_id uuid NOT NULL REFERENCES portfolio,
            id uuid NOT NULL,
            owner_id uuid NOT NULL,
            client_order_id text NOT NULL,
            symbol text NOT NULL,
            side text NOT NULL,
            type text NOT NULL,
            quantity numeric(38, 18) NOT NULL CHECK (quantity > 0),
            time_in_force text NOT NULL,
            status text NOT NULL,
            filled_quantity numeric(38, 18) NOT NULL,
            average_fill_price numeric(38, 18),
            fee numeric(38, 18) NOT NULL,
            currency text NOT NULL,
            created_at timestamptz NOT NULL,
            accepted_at timestamptz,
            executed_at timestamptz,
            transaction_id uuid,
            reason text NOT NULL,
            version bigint NOT NULL,
            PRIMARY KEY (portfolio_id, id),
            UNIQUE (portfolio_id, client_order_id)
        )
        """
    )
    op.execute("CREATE INDEX placed_order_by_id ON placed_order (id)")
    op.execute("CREATE INDEX placed_order_of_owner ON placed_order (owner_id, id)")
    helpers.enable_row_level_security("placed_order")
    helpers.grant("placed_order", app="SELECT, INSERT, UPDATE", system="SELECT")


def _account_event() -> None:
    op.execute(
        """
        CREATE TABLE account_event (
            portfolio_id uuid NOT NULL REFERENCES portfolio,
            seq bigint NOT NULL CHECK (seq > 0),
            owner_id uuid NOT NULL,
            type text NOT NULL,
            occurred_at timestamptz NOT NULL,
            recorded_at timestamptz NOT NULL,
            data text NOT NULL,
            PRIMARY KEY (portfolio_id, seq)
        )
        """
    )
    helpers.enable_row_level_security("account_event")
    helpers.append_only("account_event")
