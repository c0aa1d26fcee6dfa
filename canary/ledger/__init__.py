"""What is owed and what was seen, on disk."""
