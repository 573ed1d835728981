"""The command line, the settings, and the only place that wires the parts together."""
