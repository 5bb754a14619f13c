"""What a run shows: tables, pictures, progress, and the last lines."""
