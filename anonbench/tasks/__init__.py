"""What a network is for, and how it is scored: one folder a task."""
