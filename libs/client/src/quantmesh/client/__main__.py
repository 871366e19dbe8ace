"""`python -m quantmesh.client`, the same as `quantmesh`."""

from quantmesh.client.cli.app import main

main()
