"""What proves what a file is. Runs in a process of its own, away from the service and its secrets."""
