"""Fixtures that every distribution's tests may ask for, and how the properties are tried."""

from hypothesis import HealthCheck, settings

pytest_plugins = ["quantmesh.local.testing.plugin"]

# A machine that stalls for a moment fails no property. The examples are the same in each run, so that a rare one fails
# the run of whoever searches (`pytest --hypothesis-profile=search`) rather than that of somebody else.
settings.register_profile("search", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True)
settings.register_profile("same", settings.get_profile("search"), derandomize=True)
settings.load_profile("same")
