"""What is loaded is loaded once for each state, and the value before serves until then."""

import threading

from suqiutong.latest import Latest


class Source:
    """A value with a mark, and how often it was loaded."""

    def __init__(self, value: str | None) -> None:
        self.value = value
        self.mark = 1
        self.loads = 0

    def load(self) -> str | None:
        self.loads += 1
        return self.value


def test_a_value_is_loaded_once_until_its_mark_changes() -> None:
    source = Source("a")
    latest = Latest(lambda: source.mark, source.load)
    assert [latest.get(), latest.get(), source.loads] == ["a", "a", 1]
    source.value = "b"
    assert latest.get() == "a"
    source.mark = 2
    assert [latest.get(), latest.get(), source.loads] == ["b", "b", 2]


def test_the_value_before_stays_where_the_new_one_cannot_be_loaded() -> None:
    source = Source("a")
    latest = Latest(lambda: source.mark, source.load)
    latest.get()
    source.value, source.mark = None, 2
    assert [latest.get(), latest.get(), source.loads] == ["a", "a", 2]
    source.value, source.mark = "c", 3
    assert latest.get() == "c"


def test_nothing_at_first_is_not_nothing_for_ever() -> None:
    source = Source(None)
    latest = Latest(lambda: source.mark, source.load)
    assert latest.get() is None
    source.value, source.mark = "a", 2
    assert latest.get() == "a"


def test_one_loads_while_the_others_go_on_with_the_value_before() -> None:
    source = Source("a")
    loading, go_on = threading.Event(), threading.Event()

    def load() -> str | None:
        if source.mark == 2:
            loading.set()
            assert go_on.wait(10)
        return source.load()

    latest = Latest(lambda: source.mark, load)
    latest.get()
    source.value, source.mark = "b", 2
    thread = threading.Thread(target=latest.get)
    thread.start()
    assert loading.wait(10)
    assert latest.get() == "a"
    go_on.set()
    thread.join()
    assert [latest.get(), source.loads] == ["b", 2]
