"""Values and files that pass between stages: pictures, regions, manifests, results, seeds."""
