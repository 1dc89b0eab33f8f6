"""The supervisor process. Its modules do without site-packages and `typing`, so that it starts in milliseconds."""
