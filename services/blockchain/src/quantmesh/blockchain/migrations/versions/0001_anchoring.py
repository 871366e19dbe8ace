"""Leaves, the anchors over them, and the transactions that carry anchors to a chain."""

from alembic import op

from quantmesh.chassis.migration import helpers

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE anchor (
            id uuid PRIMARY KEY,
            chain_id bigint NOT NULL,
            root bytea NOT NULL CHECK (octet_length(root) = 32),
            status text NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'placed', 'confirmed')),
            created_at timestamptz NOT NULL,
            contract text,
            transaction_hash bytea CHECK (octet_length(transaction_hash) = 32),
            block_number bigint,
            block_hash bytea CHECK (octet_length(block_hash) = 32),
            confirmed_at timestamptz,
            UNIQUE (chain_id, root),
            CHECK (num_nonnulls(contract, transaction_hash, block_number, block_hash)
                   = CASE status WHEN 'pending' THEN 0 ELSE 4 END)
        )
        """
    )
    op.execute("CREATE INDEX anchor_pending ON anchor (chain_id, created_at, id) WHERE status = 'pending'")
    op.execute("CREATE INDEX anchor_place ON anchor (chain_id, block_number) WHERE status <> 'pending'")
    helpers.grant("anchor", app="SELECT", system="SELECT, INSERT, UPDATE")

    # A path is its siblings one after the other.
    op.execute(
        """
        CREATE TABLE leaf (
            transaction_id uuid PRIMARY KEY,
            owner_id uuid NOT NULL,
            hash bytea NOT NULL UNIQUE CHECK (octet_length(hash) = 32),
            received_at timestamptz NOT NULL,
            anchor_id uuid REFERENCES anchor,
            path bytea CHECK (octet_length(path) % 32 = 0),
            CHECK ((anchor_id IS NULL) = (path IS NULL))
        )
        """
    )
    op.execute("CREATE INDEX leaf_waiting ON leaf (received_at) WHERE anchor_id IS NULL")
    op.execute("CREATE INDEX leaf_anchor ON leaf (anchor_id)")
    helpers.enable_row_level_security("leaf")
    helpers.grant("leaf", app="SELECT", system="SELECT, INSERT, UPDATE")

    op.execute(
        """
        CREATE TABLE submission (
            id uuid PRIMARY KEY,
            chain_id bigint NOT NULL,
            sender text NOT NULL,
            purpose text NOT NULL,
            nonce bigint NOT NULL,
            recipient text NOT NULL,
            data bytea NOT NULL,
            gas_limit bigint NOT NULL,
            outcome text CHECK (outcome IN ('mined', 'reverted', 'superseded')),
            closed_at timestamptz
        )
        """
    )
    # Whatever goes wrong elsewhere: a sender never has two nonces under way.
    op.execute("CREATE UNIQUE INDEX submission_open ON submission (chain_id, sender) WHERE outcome IS NULL")
    op.execute(
        """
        CREATE TABLE attempt (
            submission_id uuid NOT NULL REFERENCES submission,
            hash bytea NOT NULL,
            raw bytea NOT NULL,
            max_fee_per_gas numeric(78) NOT NULL,
            max_priority_fee_per_gas numeric(78) NOT NULL,
            sent_at timestamptz NOT NULL,
            PRIMARY KEY (submission_id, hash)
        )
        """
    )
    helpers.grant("submission", system="SELECT, INSERT, UPDATE")
    helpers.grant("attempt", system="SELECT, INSERT")
    helpers.create_outbox()
    helpers.create_inbox()
