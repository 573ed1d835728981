"""A person takes over a conversation: who is called, who holds it, and what becomes of it when nobody comes."""
