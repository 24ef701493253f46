"""What every room may use: errors, files, processes, registries. Nothing here can change a result."""
