"""What somebody told us: attestations, inspections, readings."""
