"""What jobs take in time and memory: measured rates, and estimates for a job, a plan and a cluster's scheduler."""
