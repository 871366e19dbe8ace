"""All of market's SQL, a module per table family. Market data has no tenants: everything runs as the system role."""
