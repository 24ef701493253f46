"""Face detection: metrics, groups, the audit by eye."""
