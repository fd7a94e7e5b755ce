"""``python -m f2f`` is the command ``f2f``."""

from f2f.cli import main

if __name__ == "__main__":
    main()
