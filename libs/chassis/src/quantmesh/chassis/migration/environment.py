"""The Alembic environment of every service; its `migrations/env.py` is one call of `migrate`."""

from alembic import context
from sqlalchemy import create_engine, pool, text

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
            with context.begin_transaction():
                context.run_migrations()
    finally:
        engine.dispose()
