"""Runs the sessions of one array task on its node, under the interpreter that runs runner."""
