"""What auth last said of who an owner is, so that the venue knows whose orders may rest."""

from alembic import op

from quantmesh.chassis.migration import helpers

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE owner_kyc (
            owner_id uuid PRIMARY KEY,
            version bigint NOT NULL,
            status text NOT NULL,
            heard_at timestamptz NOT NULL DEFAULT now()
        )
        """
    )
    op.execute("CREATE INDEX owner_kyc_heard ON owner_kyc (heard_at)")
    helpers.enable_row_level_security("owner_kyc")
    helpers.grant("owner_kyc", app="SELECT, INSERT, UPDATE", system="SELECT")
