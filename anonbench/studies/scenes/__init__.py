"""Study 3: what anonymizing faces and bodies costs instance segmentation and keypoint detection (docs/scenes.md)."""
