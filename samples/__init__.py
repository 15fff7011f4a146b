"""A small world to try the service on, and the script that made its files."""
