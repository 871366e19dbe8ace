"""Fixtures that every distribution's tests may ask for."""

pytest_plugins = ["quantmesh.local.testing.plugin"]
