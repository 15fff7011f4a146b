"""Comparing parties with published lists, and deciding whom a hit means."""
