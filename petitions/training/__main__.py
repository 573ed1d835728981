"""`python -m petitions.training`: train the category model anew and print how it does on petitions unseen."""

import sys

from language.vectors import SentenceEncoder
from petitions.training.fit import figures, fit_categories, written_examples


def main() -> None:
    """Train, measure, keep."""
    examples = written_examples()
    vectors = SentenceEncoder().encode([example.text for example in examples])
    found = figures(examples, vectors)
    sys.stdout.write(
        f"{len(examples)} petitions, levels right: {found.first:.3f}, {found.second:.3f}, {found.third:.3f}\n"
    )
    fit_categories(examples, vectors).save()


if __name__ == "__main__":
    main()
