"""Petitions: how one is read from messages, routed, filed and found again."""
