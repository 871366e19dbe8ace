"""Imports as jobs, and what each imported row is known by."""

from alembic import op

from quantmesh.chassis.migration import helpers

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    helpers.create_jobs()
    # Apart from the ledger, because a batch that is taken back may come again.
    op.execute(
        """
        CREATE TABLE imported_row (
            portfolio_id uuid NOT NULL,
            fingerprint bytea NOT NULL CHECK (length(fingerprint) = 16),
            owner_id uuid NOT NULL,
            transaction_id uuid NOT NULL,
            PRIMARY KEY (portfolio_id, fingerprint)
        )
        """
    )
    _one_look_per_statement()
    helpers.enable_row_level_security("imported_row")
    helpers.grant("imported_row", app="SELECT, INSERT", system="SELECT")
    op.execute(
        "CREATE INDEX transaction_by_import ON transaction (portfolio_id, import_id, seq) WHERE import_id IS NOT NULL"
    )


def _one_look_per_statement() -> None:
    """A posting without its transaction is refused together with one too many; the foreign key looked 50,000 times.

    Transactions are never deleted, so that nothing but an insertion could leave a posting without one.
    """
    op.execute("ALTER TABLE posting DROP CONSTRAINT posting_portfolio_id_transaction_id_fkey")
    op.execute("DROP TRIGGER no_surplus ON posting")
    op.execute("DROP FUNCTION refuse_surplus_posting")
    op.execute(
        """
        CREATE FUNCTION refuse_stray_posting() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            -- Looked up by key, row by row: a join would read the whole table where statistics lag behind an import.
            IF EXISTS (
                SELECT FROM added AS a
                WHERE a.ordinal >= coalesce((
                    SELECT t.postings FROM transaction AS t
                    WHERE t.portfolio_id = a.portfolio_id AND t.id = a.transaction_id
                ), 0)
            ) THEN
                RAISE EXCEPTION 'an entry has a transaction, and no more postings than that says'
                    USING ERRCODE = 'check_violation';
            END IF;
            RETURN NULL;
        END $$
        """
    )
    op.execute(
        """
        CREATE TRIGGER no_stray AFTER INSERT ON posting REFERENCING NEW TABLE AS added
        FOR EACH STATEMENT EXECUTE FUNCTION refuse_stray_posting()
        """
    )
