"""What is owed, by when, and what silence leads to."""
