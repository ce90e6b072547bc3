"""``python -m repcore`` is the program ``repcore``."""

from repcore.cli import main

if __name__ == "__main__":
    main()
