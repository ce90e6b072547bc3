"""Settings that hold for every test."""

from __future__ import annotations

import hypothesis

# No deadline: the first call of a law pays for imports and caches, and continuous integration shares its cores.
hypothesis.settings.register_profile("repcore", deadline=None, print_blob=True)
hypothesis.settings.load_profile("repcore")
