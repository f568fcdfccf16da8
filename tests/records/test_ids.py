"""Keys: the time first, and in the order in which a process makes them."""

from itertools import pairwise

from app.records.model.ids import first_key, key_time, make_key

AT = 1_700_000_000_000


def test_keys_of_one_millisecond_ascend_and_stay_in_it() -> None:
    keys = [make_key(AT) for _ in range(20_000)]

    assert {key_time(key) for key in keys} == {AT}
    # They go down only where the next step would leave the millisecond.
    assert all(later > earlier or earlier >= first_key(AT + 1) - 1025 for earlier, later in pairwise(keys))


def test_two_processes_make_different_keys() -> None:
    mine = [make_key(AT + 1), make_key(AT + 1)]
    make_key(AT + 2)
    others = [make_key(AT + 1), make_key(AT + 1)]

    assert len({key - first_key(AT + 1) for key in mine + others}) == 4


def test_a_time_before_all_keys_is_the_first() -> None:
    assert key_time(make_key(-5)) == key_time(0)
