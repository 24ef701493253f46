"""Person re-identification: networks, losses, samplers, ranking."""
