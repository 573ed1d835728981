"""Chinese language tools that both answers and petitions need."""
