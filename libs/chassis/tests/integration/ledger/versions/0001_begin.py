"""Tables of an imagined service that uses everything the chassis offers."""

from alembic import op

from quantmesh.chassis.migration import helpers

revision = "0001"
down_revision = None


def upgrade() -> None:
    helpers.create_outbox()
    helpers.create_inbox()
    helpers.create_idempotency()
    helpers.create_jobs()
    op.execute("CREATE TABLE account (owner_id uuid NOT NULL, name text NOT NULL, balance numeric(38, 18) NOT NULL)")
    helpers.enable_row_level_security("account")
    helpers.grant("account", app="SELECT, INSERT, UPDATE, DELETE", system="SELECT, INSERT, UPDATE, DELETE")
    op.execute("CREATE TABLE entry (owner_id uuid NOT NULL, amount numeric(38, 18) NOT NULL)")
    helpers.enable_row_level_security("entry")
    helpers.append_only("entry")
    op.execute("CREATE TABLE tick (symbol text NOT NULL, price numeric(38, 18) NOT NULL)")
    helpers.grant("tick", app="SELECT, INSERT")
    op.execute(
        "CREATE TABLE arrival (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,"
        " aggregate integer NOT NULL, version bigint NOT NULL, name text NOT NULL)"
    )
    helpers.grant("arrival", system="SELECT, INSERT")
