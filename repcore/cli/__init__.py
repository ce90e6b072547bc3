"""The command line: ``repcore new | solve | explain | info | decompose | plot | verify | export | cache``.

Imported by the program ``repcore`` alone: ``import repcore`` loads neither this nor typer nor rich.
"""

from repcore.cli.app import app, main

__all__ = ["app", "main"]
