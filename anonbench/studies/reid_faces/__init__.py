"""Study 1: faces in person re-identification (Dietlmeier et al. 2020)."""
