"""One folder a study: its settings, tables, figures and texts."""
