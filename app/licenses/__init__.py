"""Licenses, their lines and conditions, and how these change."""
