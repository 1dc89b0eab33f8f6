"""Python sessions forked from an interpreter that has imported their libraries once, instead of each starting its own."""
