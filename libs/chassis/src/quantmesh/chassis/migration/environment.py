"""The Alembic environment of every service; its `migrations/env.py` is one call of `migrate`."""

from alembic import context
from sqlalchemy import create_engine, pool, text

from quantmesh.chassis.telemetry.logs import get_logger

log = get_logger(__name__)

# Replicas that start together take turns.
_LOCK = text("SELECT pg_advisory_lock(hashtext('quantmesh-migrate-' || :service))")
# DDL that waits behind a running query makes every later query wait behind itself: give up instead.
_LIMIT_WAITS = text("SET lock_timeout = '10s'")


def migrate() -> None:
    """Run the pending revisions, each in its own transaction, with the version table in the service's schema."""
    attributes = context.config.attributes
    service: str = attributes["service"]
    engine = create_engine(
        attributes["url"],
        poolclass=pool.NullPool,
        connect_args={"options": f"-c search_path={service} -c timezone=UTC", "application_name": f"migrate-{service}"},
    )
    try:
        with engine.connect() as connection:
            connection.execute(_LOCK, {"service": service})
            connection.execute(_LIMIT_WAITS)
            connection.commit()
            context.configure(
                connection=connection,
                version_table="alembic_version",
                version_table_schema=service,
                transaction_per_migration=True,
            )
            newest = str(context.get_head_revision())
            found = context.get_context().get_current_revision()
            # A release that goes back finds the schema of the one after it, and leaves it as it is.
            if found is None or found <= newest:
                with context.begin_transaction():
                    context.run_migrations()
            else:
                log.info("schema is newer than the code", found=found, newest=newest)
            # By this the service sees whether it may begin.
            connection.execute(text(f"GRANT SELECT ON alembic_version TO quantmesh_{service}"))
            connection.commit()
    finally:
        engine.dispose()
