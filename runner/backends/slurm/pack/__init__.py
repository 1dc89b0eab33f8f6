"""Carries out the sessions of one array task where it runs, under the interpreter that runs runner."""
