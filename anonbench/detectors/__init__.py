"""Face detectors: image to boxes with scores."""
