"""From features to CMC, mAP and mINP, exact and in bounded memory. Knows no model and no image."""
