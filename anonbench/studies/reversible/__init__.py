"""Study 2, learnable reversible anonymization: settings, kinds of tables, figures, published numbers."""
