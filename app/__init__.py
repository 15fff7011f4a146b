"""The service: one folder per noun of the field, each importing only what stands below it."""
