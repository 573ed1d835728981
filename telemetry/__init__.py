"""What every process tells of itself: log lines with the id of their request, and what it counts and times."""
