from quantmesh.chassis.migration.environment import migrate

migrate()
