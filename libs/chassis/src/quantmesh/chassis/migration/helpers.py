"""DDL that the services' revisions share. Everything lands in the schema of the service being migrated."""

from alembic import op

from quantmesh.chassis.provision import MIGRATOR

# After one use in a session the setting is '' and not NULL, which no uuid is; the subselect runs once per query.
_CURRENT_OWNER = "(SELECT nullif(current_setting('app.owner_id', true), '')::uuid)"


def schema() -> str:
    """The service being migrated: its schema and the middle of its roles' names."""
    name: str | None = op.get_context().version_table_schema
    if not name:
        msg = "migrations run through quantmesh.chassis.migration, which names the schema"
        raise RuntimeError(msg)
    return name


def app_role() -> str:
    return f"quantmesh_{schema()}"


def system_role() -> str:
    return f"quantmesh_{schema()}_system"


def grant(table: str, *, app: str = "", system: str = "") -> None:
    """Rights such as "SELECT, INSERT" for requests (`app`) and for work across tenants (`system`); none by default."""
    for role, rights in ((app_role(), app), (system_role(), system)):
        if rights:
            op.execute(f"GRANT {rights} ON {schema()}.{table} TO {role}")


def enable_row_level_security(table: str, owner_column: str = "owner_id") -> None:
    """Requests see and write the rows of `app.owner_id` alone; the system role and migrations see all.

    FORCE binds the table's owner too, hence the migrator's own policy.
    """
    name = f"{schema()}.{table}"
    own = f"{owner_column} = {_CURRENT_OWNER}"
    op.execute(f"ALTER TABLE {name} ENABLE ROW LEVEL SECURITY")
    op.execute(f"ALTER TABLE {name} FORCE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY own_rows ON {name} TO {app_role()} USING ({own}) WITH CHECK ({own})")
    for policy, role in (("across_tenants", system_role()), ("migrations", MIGRATOR)):
        op.execute(f"CREATE POLICY {policy} ON {name} TO {role} USING (true) WITH CHECK (true)")


def append_only(table: str) -> None:
    """Rows are written once: SELECT and INSERT for both roles, and a trigger that refuses everyone all else."""
    op.execute(
        f"""
        CREATE OR REPLACE FUNCTION {schema()}.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            RAISE EXCEPTION '% rows are never updated or deleted', TG_TABLE_NAME USING ERRCODE = '2F002';
        END $$
        """
    )
    op.execute(
        f"CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {schema()}.{table}"
        f" FOR EACH STATEMENT EXECUTE FUNCTION {schema()}.refuse_change()"
    )
    grant(table, app="SELECT, INSERT", system="SELECT, INSERT")


def create_outbox() -> None:
    """Events to publish (`quantmesh.chassis.outbox`), and the newest version per subject and aggregate."""
    op.execute(
        f"""
        CREATE TABLE {schema()}.outbox_version (
            subject text NOT NULL,
            aggregate_id text NOT NULL,
            version bigint NOT NULL,
            PRIMARY KEY (subject, aggregate_id)
        )
        """
    )
    op.execute(
        f"""
        CREATE TABLE {schema()}.outbox (
            id uuid PRIMARY KEY,
            position bigint GENERATED ALWAYS AS IDENTITY,
            subject text NOT NULL,
            partition smallint NOT NULL CHECK (partition BETWEEN 0 AND 15),
            aggregate_id text NOT NULL,
            aggregate_version bigint NOT NULL,
            previous_version bigint NOT NULL,
            owner_id uuid,
            occurred_at timestamptz NOT NULL,
            recorded_at timestamptz NOT NULL DEFAULT now(),
            schema_version integer NOT NULL,
            type text NOT NULL,
            payload bytea NOT NULL,
            traceparent text NOT NULL,
            published_at timestamptz,
            stream_sequence bigint
        )
        """
    )
    op.execute(f"CREATE INDEX outbox_unpublished ON {schema()}.outbox (position) WHERE published_at IS NULL")
    op.execute(f"CREATE INDEX outbox_sequence ON {schema()}.outbox (stream_sequence)")
    op.execute(f"CREATE INDEX outbox_published ON {schema()}.outbox (published_at)")
    # No row-level security here: requests may write events, and only the system role may read them.
    grant("outbox_version", app="SELECT, INSERT, UPDATE", system="SELECT, INSERT, UPDATE")
    grant("outbox", app="INSERT", system="SELECT, INSERT, UPDATE, DELETE")


def stop_waking_relay() -> None:
    """For schemas whose outbox was made when each insert notified: that lets no two commits of a database overlap."""
    op.execute(f"DROP TRIGGER IF EXISTS wake_relay ON {schema()}.outbox")
    op.execute(f"DROP FUNCTION IF EXISTS {schema()}.wake_relay()")


def create_inbox() -> None:
    """What each consumer has handled (`quantmesh.chassis.events`), per event and per aggregate."""
    op.execute(
        f"""
        CREATE TABLE {schema()}.inbox (
            consumer text NOT NULL,
            event_id uuid NOT NULL,
            handled_at timestamptz,
            failures integer NOT NULL DEFAULT 0,
            PRIMARY KEY (consumer, event_id)
        )
        """
    )
    op.execute(f"CREATE INDEX inbox_handled ON {schema()}.inbox (handled_at)")
    op.execute(
        f"""
        CREATE TABLE {schema()}.inbox_version (
            consumer text NOT NULL,
            subject text NOT NULL,
            aggregate_id text NOT NULL,
            version bigint NOT NULL,
            PRIMARY KEY (consumer, subject, aggregate_id)
        )
        """
    )
    for table in ("inbox", "inbox_version"):
        grant(table, app="SELECT, INSERT, UPDATE", system="SELECT, INSERT, UPDATE, DELETE")


def create_idempotency() -> None:
    """Answers already given (`quantmesh.chassis.idempotency`)."""
    op.execute(
        f"""
        CREATE TABLE {schema()}.idempotency (
            owner_id uuid NOT NULL,
            scope text NOT NULL,
            key text NOT NULL,
            request_hash bytea NOT NULL,
            answer bytea NOT NULL,
            created_at timestamptz NOT NULL DEFAULT now(),
            PRIMARY KEY (owner_id, scope, key)
        )
        """
    )
    op.execute(f"CREATE INDEX idempotency_created ON {schema()}.idempotency (created_at)")
    enable_row_level_security("idempotency")
    grant("idempotency", app="SELECT, INSERT, DELETE", system="SELECT, DELETE")


def create_jobs() -> None:
    """Long work (`quantmesh.chassis.jobs`)."""
    op.execute(
        f"""
        CREATE TABLE {schema()}.job (
            id text PRIMARY KEY,
            owner_id uuid NOT NULL,
            kind text NOT NULL,
            parameters bytea NOT NULL,
            status text NOT NULL DEFAULT 'queued'
                CHECK (status IN ('queued', 'running', 'succeeded', 'failed', 'cancelled')),
            progress double precision NOT NULL DEFAULT 0 CHECK (progress BETWEEN 0 AND 1),
            message text NOT NULL DEFAULT '',
            result jsonb,
            problem jsonb,
            attempts integer NOT NULL DEFAULT 0,
            cancel_requested boolean NOT NULL DEFAULT false,
            heartbeat_at timestamptz,
            created_at timestamptz NOT NULL DEFAULT now(),
            updated_at timestamptz NOT NULL DEFAULT now()
        )
        """
    )
    op.execute(f"CREATE INDEX job_open ON {schema()}.job (created_at) WHERE status IN ('queued', 'running')")
    enable_row_level_security("job")
    grant("job", app="SELECT, INSERT, UPDATE", system="SELECT, INSERT, UPDATE, DELETE")
