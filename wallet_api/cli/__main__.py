"""Runs the command as ``python -m wallet_api.cli``."""

from wallet_api.cli import main

main()
