"""Written petitions with their categories, and the training of the category model on them."""
