"""Orders that wait: their prices, what they reserve, the steps they may take, and what is used of a quote."""

from alembic import op

from quantmesh.chassis.migration import helpers

revision = "0008"
down_revision = "0007"

# From what to what an order may go; "" is an order that is not there yet.
_TRANSITIONS = (
    ("", "accepted"),
    ("", "rejected"),
    ("accepted", "accepted"),
    ("accepted", "partially_filled"),
    ("accepted", "filled"),
    ("accepted", "cancelled"),
    ("accepted", "expired"),
    ("partially_filled", "partially_filled"),
    ("partially_filled", "filled"),
    ("partially_filled", "cancelled"),
    ("partially_filled", "expired"),
)
_IS_OPEN = "status IN ('accepted', 'partially_filled')"


def upgrade() -> None:
    _order()
    _transitions()
    _reservations()
    _liquidity()


def _order() -> None:
    op.execute(
        """
        ALTER TABLE placed_order
            ADD COLUMN limit_price numeric(38, 18) CHECK (limit_price > 0),
            ADD COLUMN stop_price numeric(38, 18) CHECK (stop_price > 0),
            ADD COLUMN notional numeric(38, 18) NOT NULL DEFAULT 0,
            ADD COLUMN reserved numeric(38, 18) NOT NULL DEFAULT 0 CHECK (reserved >= 0),
            ADD COLUMN priority_at timestamptz,
            ADD COLUMN expires_at timestamptz,
            ADD COLUMN triggered_at timestamptz
        """
    )
    op.execute(
        """
        UPDATE placed_order
        SET notional = filled_quantity * coalesce(average_fill_price, 0), priority_at = accepted_at
        """
    )
    op.execute("ALTER TABLE placed_order ALTER COLUMN notional DROP DEFAULT, ALTER COLUMN reserved DROP DEFAULT")
    op.execute(
        f"""
        ALTER TABLE placed_order
            ADD CONSTRAINT limit_of_its_type CHECK ((type IN ('limit', 'stop_limit')) = (limit_price IS NOT NULL)),
            ADD CONSTRAINT stop_of_its_type CHECK ((type IN ('stop', 'stop_limit')) = (stop_price IS NOT NULL)),
            ADD CONSTRAINT filled_as_its_status_says CHECK (
                filled_quantity BETWEEN 0 AND quantity
                AND (status = 'filled') = (filled_quantity = quantity)
                AND (status <> 'partially_filled' OR filled_quantity > 0)
                AND (status NOT IN ('accepted', 'rejected') OR filled_quantity = 0)
            ),
            ADD CONSTRAINT ended_orders_reserve_nothing CHECK ({_IS_OPEN} OR reserved = 0)
        """
    )
    op.execute(f"CREATE INDEX placed_order_resting ON placed_order (symbol, side, limit_price) WHERE {_IS_OPEN}")
    op.execute("CREATE INDEX transaction_by_order ON transaction (portfolio_id, order_id) WHERE order_id IS NOT NULL")


def _transitions() -> None:
    op.execute(
        """
        CREATE TABLE order_transition (
            current text NOT NULL,
            following text NOT NULL,
            PRIMARY KEY (current, following)
        )
        """
    )
    values = ", ".join(f"('{current}', '{following}')" for current, following in _TRANSITIONS)
    op.execute(f"INSERT INTO order_transition VALUES {values}")  # noqa: S608  our own names
    helpers.grant("order_transition", app="SELECT", system="SELECT")
    op.execute(
        """
        CREATE FUNCTION require_order_transition() RETURNS trigger LANGUAGE plpgsql AS $$
        DECLARE
            before text := '';
        BEGIN
            IF TG_OP = 'UPDATE' THEN
                before := OLD.status;
                IF NEW.version <= OLD.version THEN
                    RAISE EXCEPTION 'the version of order % does not rise', NEW.id USING ERRCODE = 'check_violation';
                END IF;
                IF (NEW.portfolio_id, NEW.id, NEW.owner_id, NEW.client_order_id, NEW.symbol, NEW.side, NEW.type,
                    NEW.time_in_force, NEW.currency, NEW.created_at) IS DISTINCT FROM
                   (OLD.portfolio_id, OLD.id, OLD.owner_id, OLD.client_order_id, OLD.symbol, OLD.side, OLD.type,
                    OLD.time_in_force, OLD.currency, OLD.created_at)
                THEN
                    RAISE EXCEPTION 'order % keeps what it is for', NEW.id USING ERRCODE = 'check_violation';
                END IF;
            END IF;
            IF NOT EXISTS (SELECT FROM order_transition WHERE current = before AND following = NEW.status) THEN
                RAISE EXCEPTION 'an order that is % cannot become %', coalesce(nullif(before, ''), 'new'), NEW.status
                    USING ERRCODE = 'check_violation';
            END IF;
            RETURN NEW;
        END $$
        """
    )
    op.execute(
        """
        CREATE TRIGGER legal_transition BEFORE INSERT OR UPDATE ON placed_order
        FOR EACH ROW EXECUTE FUNCTION require_order_transition()
        """
    )
    op.execute(
        """
        CREATE TRIGGER kept BEFORE DELETE OR TRUNCATE ON placed_order
        FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()
        """
    )


def _reservations() -> None:
    op.execute("ALTER TABLE holding ADD COLUMN reserved numeric NOT NULL DEFAULT 0 CHECK (reserved >= 0)")
    # Whether more may be kept than there is, is the portfolio's own decision, which a CHECK on this row cannot see.
    op.execute(
        """
        CREATE FUNCTION refuse_overcommitment() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF NOT EXISTS (SELECT FROM portfolio WHERE id = NEW.portfolio_id AND margin_enabled) THEN
                RAISE EXCEPTION 'open orders of % reserve % of the % % that are there',
                    NEW.portfolio_id, NEW.reserved, NEW.amount, NEW.commodity
                    USING ERRCODE = 'check_violation', HINT = 'the portfolio''s margin is not enabled';
            END IF;
            RETURN NEW;
        END $$
        """
    )
    op.execute(
        """
        CREATE TRIGGER no_overcommitment BEFORE INSERT OR UPDATE OF amount, reserved ON holding
        FOR EACH ROW WHEN (NEW.reserved > greatest(NEW.amount, 0)) EXECUTE FUNCTION refuse_overcommitment()
        """
    )


def _liquidity() -> None:
    # Nobody's rows: which quote of a symbol was last traded on, and how much of each side of it is used.
    op.execute(
        """
        CREATE TABLE venue_symbol (
            symbol text PRIMARY KEY,
            quoted_at timestamptz NOT NULL,
            bid_used numeric NOT NULL CHECK (bid_used >= 0),
            ask_used numeric NOT NULL CHECK (ask_used >= 0)
        )
        """
    )
    rights = "SELECT, INSERT, UPDATE"
    helpers.grant("venue_symbol", app=rights, system=rights)
    # A sum over all tenants' orders, and nothing else of them: its owner sees what its caller does not.
    signature = "resting_ahead(text, text, numeric, timestamptz, uuid)"
    op.execute(
        f"""
        CREATE FUNCTION resting_ahead(
            wanted_symbol text, wanted_side text, quoted numeric, quoted_at timestamptz, besides uuid
        ) RETURNS numeric LANGUAGE sql STABLE SECURITY DEFINER SET search_path = {helpers.schema()}, pg_temp AS $$
            WITH resting AS (
                SELECT * FROM placed_order
                WHERE symbol = wanted_symbol AND side = 'buy' AND wanted_side = 'buy' AND {_IS_OPEN}
                  AND limit_price >= quoted
                UNION ALL
                SELECT * FROM placed_order
                WHERE symbol = wanted_symbol AND side = 'sell' AND wanted_side = 'sell' AND {_IS_OPEN}
                  AND limit_price <= quoted
                UNION ALL
                SELECT * FROM placed_order
                WHERE symbol = wanted_symbol AND side = wanted_side AND {_IS_OPEN} AND limit_price IS NULL
            )
            SELECT coalesce(sum(resting.quantity - resting.filled_quantity), 0)
            FROM resting
            JOIN portfolio ON portfolio.id = resting.portfolio_id AND portfolio.deleted_at IS NULL
            WHERE (resting.stop_price IS NULL OR resting.triggered_at IS NOT NULL)
              AND (resting.expires_at IS NULL OR resting.expires_at > quoted_at)
              AND resting.id <> besides
        $$
        """  # noqa: S608  our own condition
    )
    op.execute(f"REVOKE ALL ON FUNCTION {signature} FROM PUBLIC")
    for role in (helpers.app_role(), helpers.system_role()):
        op.execute(f"GRANT EXECUTE ON FUNCTION {signature} TO {role}")
