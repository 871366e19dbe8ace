"""Accounts, sessions with their refresh tokens, API keys, signing keys."""

from alembic import op

from quantmesh.chassis.migration import helpers

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE user_account (
            id uuid PRIMARY KEY,
            email text NOT NULL UNIQUE CHECK (email = lower(email)),
            full_name text NOT NULL,
            password_hash text NOT NULL,
            roles text[] NOT NULL,
            tier text NOT NULL,
            created_at timestamptz NOT NULL
        )
        """
    )
    op.execute(
        """
        CREATE TABLE session (
            id uuid PRIMARY KEY,
            owner_id uuid NOT NULL REFERENCES user_account ON DELETE CASCADE,
            user_agent text NOT NULL,
            ip_address text NOT NULL,
            created_at timestamptz NOT NULL,
            last_used_at timestamptz NOT NULL,
            expires_at timestamptz NOT NULL,
            revoked_at timestamptz
        )
        """
    )
    op.execute("CREATE INDEX session_owner ON session (owner_id, last_used_at DESC)")
    op.execute(
        """
        CREATE TABLE refresh_token (
            token_hash bytea PRIMARY KEY,
            session_id uuid NOT NULL REFERENCES session ON DELETE CASCADE,
            owner_id uuid NOT NULL,
            created_at timestamptz NOT NULL,
            used_at timestamptz,
            successor_hash bytea
        )
        """
    )
    op.execute("CREATE INDEX refresh_token_session ON refresh_token (session_id)")
    op.execute(
        """
        CREATE TABLE api_key (
            id uuid PRIMARY KEY,
            owner_id uuid NOT NULL REFERENCES user_account ON DELETE CASCADE,
            name text NOT NULL,
            prefix text NOT NULL,
            key_hash bytea NOT NULL UNIQUE,
            scopes text[] NOT NULL,
            created_at timestamptz NOT NULL,
            last_used_at timestamptz,
            expires_at timestamptz,
            revoked_at timestamptz
        )
        """
    )
    op.execute("CREATE INDEX api_key_owner ON api_key (owner_id, id)")
    helpers.enable_row_level_security("user_account", "id")
    for table in ("session", "refresh_token", "api_key"):
        helpers.enable_row_level_security(table)
    helpers.grant("user_account", app="SELECT, UPDATE", system="SELECT, INSERT, UPDATE")
    helpers.grant("session", app="SELECT, UPDATE", system="SELECT, INSERT, UPDATE, DELETE")
    # Requests of a user never touch refresh tokens: they come before anyone is known.
    helpers.grant("refresh_token", system="SELECT, INSERT, UPDATE, DELETE")
    helpers.grant("api_key", app="SELECT, INSERT, UPDATE", system="SELECT, UPDATE")
    op.execute(
        """
        CREATE TABLE signing_key (
            kid text PRIMARY KEY,
            private_key bytea NOT NULL,
            active_from timestamptz NOT NULL,
            retired_at timestamptz
        )
        """
    )
    helpers.grant("signing_key", system="SELECT, INSERT, UPDATE")
    helpers.create_outbox()
