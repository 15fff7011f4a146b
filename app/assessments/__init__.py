"""Puts facts before monitors and stores what they find."""
