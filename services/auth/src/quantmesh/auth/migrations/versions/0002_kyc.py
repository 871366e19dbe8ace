"""Decisions on who a user is: kept, each with who, when and why."""

from alembic import op

from quantmesh.chassis.migration import helpers

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE kyc_decision (
            owner_id uuid NOT NULL REFERENCES user_account,
            version bigint NOT NULL CHECK (version > 0),
            status text NOT NULL CHECK (status IN ('unverified', 'pending', 'approved', 'rejected', 'suspended')),
            reason text NOT NULL,
            decided_by uuid NOT NULL,
            decided_at timestamptz NOT NULL,
            PRIMARY KEY (owner_id, version)
        )
        """
    )
    helpers.enable_row_level_security("kyc_decision")
    helpers.append_only("kyc_decision")
