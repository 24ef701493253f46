"""One training loop for every task: data in memory or loaded ahead, several networks, resume after a kill, ranks."""
