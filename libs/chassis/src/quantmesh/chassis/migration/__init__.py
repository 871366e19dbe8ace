"""Alembic for every service: `run_migrations`, and the DDL that all of them share in `helpers`."""

from quantmesh.chassis.migration.run import run_migrations

__all__ = ["run_migrations"]
