"""`python -m petitions.training`: train the category model anew and print how it does on petitions unseen."""

from language.vectors import SentenceEncoder
from petitions.training.fit import figures, fit_categories, written_examples


def main() -> None:
    """Train, measure, keep."""
    examples = written_examples()
    vectors = SentenceEncoder().encode([example.text for example in examples])
    found = figures(examples, vectors)
    print(
        f"{len(examples)} petitions: {found.first:.3f} first, {found.second:.3f} second, {found.third:.3f} third level"
    )
    fit_categories(examples, vectors).save()


if __name__ == "__main__":
    main()
