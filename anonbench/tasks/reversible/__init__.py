"""Reversible anonymization of whole pedestrians: joint training, recovery, and how alike two pictures are."""
