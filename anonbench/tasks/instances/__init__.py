"""Instance segmentation and keypoint detection: networks, training, prediction, evaluation."""
