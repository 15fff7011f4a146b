"""What dashboards must show."""
