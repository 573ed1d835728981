"""All that Rasa itself reads and runs; imports nothing else of this repository."""
