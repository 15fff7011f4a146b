"""What was shipped under a license: the drawdown ledger and the units by serial number."""
