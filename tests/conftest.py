"""Settings that hold for every test."""

from __future__ import annotations

import os
import tempfile

import hypothesis
import pytest

# No deadline: the first call of a law pays for imports and caches, and continuous integration shares its cores.
hypothesis.settings.register_profile("repcore", deadline=None, print_blob=True)
hypothesis.settings.load_profile("repcore")


def pytest_configure(config: pytest.Config) -> None:
    """Keep the user's cache out of the tests, and the tests out of the user's cache; subprocesses inherit it."""
    cache = tempfile.TemporaryDirectory(prefix="repcore-tests-", ignore_cleanup_errors=True)
    os.environ["REPCORE_CACHE"] = cache.name
    config.add_cleanup(cache.cleanup)
