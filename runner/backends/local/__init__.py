"""The local backend. `backend` is the part in runner's process, `supervisor` the process that runs the jobs."""
