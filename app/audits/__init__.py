"""End-use checks: planned, assigned, carried out, rated and closed."""
