"""How residents arrive: chat, the resident's page and the petition form; with operator assist and health."""
