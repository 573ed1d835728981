"""The desk: what operators and staff of the office see, behind a login."""
