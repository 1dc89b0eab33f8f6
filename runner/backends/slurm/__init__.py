"""Sessions as tasks of job arrays on a Slurm cluster."""
