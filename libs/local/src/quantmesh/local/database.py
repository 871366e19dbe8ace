"""Roles, schemas and migrations of every service, in one process: eight interpreters would take ten times as long.

`python -m quantmesh.local.database` reads what `quantmesh.chassis.provision` reads, and QUANTMESH_MIGRATION_URL.
"""

import asyncio
import os

from quantmesh.chassis.migration import run_migrations
from quantmesh.chassis.provision import passwords_from, provision


def main() -> None:
    services = os.environ["QUANTMESH_SERVICES"].split(",")
    passwords = passwords_from(os.environ, services)
    asyncio.run(provision(os.environ["QUANTMESH_ADMIN_URL"], services, passwords))
    for service in services:
        run_migrations(service, os.environ["QUANTMESH_MIGRATION_URL"])


if __name__ == "__main__":
    main()
