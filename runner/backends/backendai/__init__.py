"""Jobs are batch sessions of a Backend.AI cluster: they run on when runner is gone, and are found again by their names."""
