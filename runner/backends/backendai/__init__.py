"""Backend.AI: each job is a batch session of a cluster. Sessions outlive runner and are found again by name."""
