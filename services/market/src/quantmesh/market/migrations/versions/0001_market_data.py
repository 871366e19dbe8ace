"""Assets, bars by five years, ticks by day, option chains, the state of the feed, checkpoints and quarantine."""

from alembic import op

from quantmesh.chassis.migration import helpers

revision = "0001"
down_revision = None

# Daily bars are few: a partition of five years is small, and a query over all of history meets few of them.
_FIRST_YEAR, _LAST_YEAR, _YEARS = 1980, 2040, 5


def upgrade() -> None:
    create_assets()
    create_bars()
    create_ticks()
    create_chains()
    create_feed()
    helpers.create_outbox()


def create_assets() -> None:
    op.execute(
        """
        CREATE TABLE asset (
            id uuid PRIMARY KEY DEFAULT uuidv7(),
            -- The number under which bars and ticks are stored; revision counts its ingestions, for caches.
            series integer GENERATED ALWAYS AS IDENTITY UNIQUE,
            revision integer NOT NULL DEFAULT 0,
            symbol text COLLATE "C" NOT NULL UNIQUE CHECK (symbol ~ '^[A-Z0-9][A-Z0-9-]{0,31}$'),
            name text NOT NULL,
            asset_class text NOT NULL CHECK (asset_class IN ('stock', 'crypto', 'index', 'fund', 'option')),
            currency text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
            calendar text NOT NULL,
            tick_size numeric(38, 18) NOT NULL CHECK (tick_size > 0),
            lot_size numeric(38, 18) NOT NULL CHECK (lot_size > 0),
            adjustment text NOT NULL CHECK (adjustment IN ('raw', 'split', 'total_return')),
            tradable boolean NOT NULL,
            metadata jsonb NOT NULL
        )
        """
    )
    helpers.grant("asset", system="SELECT, INSERT, UPDATE")


def create_bars() -> None:
    op.execute(
        """
        CREATE TABLE bar (
            series integer NOT NULL,
            time timestamptz NOT NULL,
            day date NOT NULL,
            open numeric(38, 18),
            high numeric(38, 18),
            low numeric(38, 18),
            close numeric(38, 18) NOT NULL,
            volume numeric(38, 18),
            source text NOT NULL,
            PRIMARY KEY (series, time)
        ) PARTITION BY RANGE (time)
        """
    )
    for year in range(_FIRST_YEAR, _LAST_YEAR, _YEARS):
        op.execute(
            f"CREATE TABLE bar_{year} PARTITION OF bar FOR VALUES FROM ('{year}-01-01Z') TO ('{year + _YEARS}-01-01Z')"
        )
    # COPY lands here, and the upsert into `bar` takes it from here in the same transaction, which empties it again:
    # no row is ever seen by another one, so one table serves all.
    op.execute("CREATE UNLOGGED TABLE bar_staging (LIKE bar)")
    op.execute(
        """
        CREATE TABLE checkpoint (
            source text NOT NULL,
            symbol text NOT NULL,
            version text NOT NULL,
            bars integer NOT NULL,
            rejected integer NOT NULL,
            first_day date,
            last_day date,
            gaps date[] NOT NULL,
            reached_at timestamptz NOT NULL DEFAULT now(),
            PRIMARY KEY (source, symbol)
        )
        """
    )
    op.execute(
        """
        CREATE TABLE quarantine (
            id uuid PRIMARY KEY DEFAULT uuidv7(),
            source text NOT NULL,
            symbol text NOT NULL,
            line integer NOT NULL,
            field text NOT NULL,
            reason text NOT NULL,
            found text NOT NULL,
            recorded_at timestamptz NOT NULL DEFAULT now()
        )
        """
    )
    op.execute("CREATE UNIQUE INDEX quarantine_row ON quarantine (source, symbol, line, field, reason, found)")
    helpers.grant("bar", system="SELECT, INSERT, UPDATE")
    helpers.grant("bar_staging", system="SELECT, INSERT, DELETE")
    helpers.grant("checkpoint", system="SELECT, INSERT, UPDATE")
    helpers.grant("quarantine", system="SELECT, INSERT")


def create_ticks() -> None:
    op.execute(
        """
        CREATE TABLE tick (
            series integer NOT NULL,
            time timestamptz NOT NULL,
            price numeric(38, 18) NOT NULL,
            bid numeric(38, 18) NOT NULL,
            ask numeric(38, 18) NOT NULL
        ) PARTITION BY RANGE (time)
        """
    )
    # Ticks arrive in the order of time; a B-tree would cost more than half of the speed at which they are taken in.
    op.execute("CREATE INDEX tick_time ON tick USING brin (time)")
    op.execute(
        """
        CREATE TABLE tick_feed (
            feed text PRIMARY KEY,
            sequence bigint NOT NULL,
            ticks bigint NOT NULL,
            rejected bigint NOT NULL
        )
        """
    )
    # Partitions belong to the migrator, so the service asks for them through these. ATTACH, unlike CREATE ...
    # PARTITION OF, lets readers and writers of the other partitions go on.
    op.execute(
        """
        CREATE FUNCTION create_tick_partition(day date) RETURNS void LANGUAGE plpgsql
        SECURITY DEFINER SET search_path FROM CURRENT AS $$
        DECLARE name text := 'tick_' || to_char(day, 'YYYYMMDD');
        BEGIN
            PERFORM pg_advisory_xact_lock(hashtext('create_tick_partition'));
            IF to_regclass(name) IS NULL THEN
                EXECUTE format('CREATE TABLE %I (LIKE tick)', name);
                EXECUTE format('ALTER TABLE tick ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)',
                               name, day::text || 'Z', (day + 1)::text || 'Z');
            END IF;
        END $$
        """
    )
    op.execute(
        """
        CREATE FUNCTION drop_tick_partitions(before date) RETURNS integer LANGUAGE plpgsql
        SECURITY DEFINER SET search_path FROM CURRENT SET lock_timeout = '2s' AS $$
        DECLARE name text; dropped integer := 0;
        BEGIN
            FOR name IN SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
                        WHERE i.inhparent = 'tick'::regclass AND c.relname < 'tick_' || to_char(before, 'YYYYMMDD')
            LOOP
                EXECUTE format('DROP TABLE %I', name);
                dropped := dropped + 1;
            END LOOP;
            RETURN dropped;
        END $$
        """
    )
    for function in ("create_tick_partition(date)", "drop_tick_partitions(date)"):
        op.execute(f"REVOKE ALL ON FUNCTION {helpers.schema()}.{function} FROM PUBLIC")
        op.execute(f"GRANT EXECUTE ON FUNCTION {helpers.schema()}.{function} TO {helpers.system_role()}")
    helpers.grant("tick", system="SELECT, INSERT, DELETE")
    helpers.grant("tick_feed", system="SELECT, INSERT, UPDATE")


def create_chains() -> None:
    op.execute(
        """
        CREATE TABLE option_chain (
            underlying text NOT NULL,
            time timestamptz NOT NULL,
            spot double precision NOT NULL,
            source text NOT NULL,
            PRIMARY KEY (underlying, time)
        )
        """
    )
    op.execute(
        """
        CREATE TABLE option_quote (
            underlying text NOT NULL,
            time timestamptz NOT NULL,
            symbol text NOT NULL,
            option_type text NOT NULL CHECK (option_type IN ('call', 'put')),
            strike numeric(38, 18) NOT NULL CHECK (strike > 0),
            expiry timestamptz NOT NULL,
            multiplier numeric(38, 18) NOT NULL,
            exercise text NOT NULL CHECK (exercise IN ('american', 'european')),
            settlement text NOT NULL CHECK (settlement IN ('cash', 'physical')),
            time_to_expiry double precision NOT NULL CHECK (time_to_expiry > 0),
            bid_implied_volatility double precision NOT NULL,
            ask_implied_volatility double precision NOT NULL,
            forward double precision NOT NULL,
            discount_factor double precision NOT NULL,
            PRIMARY KEY (underlying, time, symbol),
            FOREIGN KEY (underlying, time) REFERENCES option_chain
        )
        """
    )
    helpers.grant("option_chain", system="SELECT, INSERT")
    helpers.grant("option_quote", system="SELECT, INSERT")


def create_feed() -> None:
    op.execute(
        """
        CREATE TABLE feed (
            name text PRIMARY KEY,
            -- Grows with each rewind, so that a leader notices that its position is void.
            epoch integer NOT NULL,
            session date NOT NULL,
            seconds double precision NOT NULL,
            ended boolean NOT NULL,
            holder text NOT NULL,
            held_until timestamptz NOT NULL
        )
        """
    )
    helpers.grant("feed", system="SELECT, INSERT, UPDATE")
