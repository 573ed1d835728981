"""What the assistant does when Rasa says so: each action reads slots, makes one call below and says the result."""
