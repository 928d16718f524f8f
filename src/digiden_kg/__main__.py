"""``python -m digiden_kg``: the command line."""

from digiden_kg.cli import main

main()
