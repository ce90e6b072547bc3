"""The scripts of this folder are run by path, under atheris where it is installed: pytest does not import them."""

from __future__ import annotations

collect_ignore_glob = ["*.py"]
