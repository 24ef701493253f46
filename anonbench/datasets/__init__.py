"""Dataset adapters: one module a native layout, each a function from folder to records."""
