"""The local backend: jobs are processes on this machine. `backend` is runner's side, `spawner` the process beside it."""
