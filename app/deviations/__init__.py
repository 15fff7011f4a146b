"""Findings a person must look at."""
