"""Each test that asks for a release runs on every environment, and on what may be laid over them."""

import pytest
from release import RELEASES, Release, release


@pytest.fixture(name="release", params=RELEASES)
def _release(request: pytest.FixtureRequest) -> Release:
    return release(request.param)
