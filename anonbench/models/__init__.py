"""Re-identification networks: one module a model, named like its key in the config."""
