"""`python -m app.cli` is `endwatch`, also where the package is not installed."""

from app.cli import main

main()
