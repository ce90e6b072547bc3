"""The scripts of this folder are run by path, one of them in another environment: pytest does not import them."""

from __future__ import annotations

collect_ignore_glob = ["[!t]*.py"]
