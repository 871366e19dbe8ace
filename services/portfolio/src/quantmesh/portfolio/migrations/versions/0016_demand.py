"""What was taken for granted when something was decided, demanded of the database itself by what is written."""

from alembic import op

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    op.execute(
        """
        CREATE FUNCTION demand(is_so boolean) RETURNS void LANGUAGE plpgsql AS $$
        BEGIN
            IF is_so IS NOT TRUE THEN
                RAISE EXCEPTION 'what this was decided by is not so' USING ERRCODE = 'serialization_failure';
            END IF;
        END $$
        """
    )
