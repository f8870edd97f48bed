"""The lock that processes compile under: whose it is, what may lie in its place, how long it is kept."""

from __future__ import annotations

import os
import stat
import sys
from contextlib import contextmanager

import pytest

from kl_plugins.ops.compiled import jit
from kl_plugins.ops.compiled.jit import cache_folder, cached, one_process_at_a_time

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="links, pipes and rights are POSIX's")


@pytest.fixture
def caches(tmp_path, monkeypatch):
    monkeypatch.setattr(jit, "_held_up", set())
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "caches"))
    return tmp_path / "caches"


def folder_in(caches):
    return caches / f"kl_plugins-{os.geteuid()}"


def without_waiting(seconds):
    pytest.fail(f"waits {seconds} s")


def is_alone(caches):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(jit.time, "sleep", without_waiting)
        with one_process_at_a_time(str(caches), patience=0.0) as alone:
            return alone


@contextmanager
def held(caches):
    """As another process has it: a lock belongs to whoever opened the file."""
    with one_process_at_a_time(str(caches)) as alone:
        assert alone
        yield


def test_folder_and_file_are_the_users_alone(caches):
    before = os.umask(0)
    try:
        assert is_alone(caches)
    finally:
        os.umask(before)
    made = caches, folder_in(caches), folder_in(caches) / "compilation.lock"
    assert [stat.S_IMODE(path.stat().st_mode) for path in made] == [0o700, 0o700, 0o600]


def plant_link(place, elsewhere):
    place.symlink_to(elsewhere)


def plant_pipe(place, elsewhere):
    os.mkfifo(place)


def plant_folder(place, elsewhere):
    place.mkdir()


def plant_writable(place, elsewhere):
    place.write_text("")
    place.chmod(0o666)


@pytest.mark.parametrize("plant", [plant_link, plant_pipe, plant_folder, plant_writable])
def test_what_is_planted_in_place_of_the_file_is_left_alone(plant, caches, tmp_path):
    precious = tmp_path / "precious"
    precious.write_text("kept")
    folder_in(caches).mkdir(parents=True, mode=0o700)
    plant(folder_in(caches) / "compilation.lock", precious)
    assert not is_alone(caches)
    assert precious.read_text() == "kept"


def test_a_link_to_nowhere_makes_no_file(caches, tmp_path):
    folder_in(caches).mkdir(parents=True, mode=0o700)
    (folder_in(caches) / "compilation.lock").symlink_to(tmp_path / "made")
    assert not is_alone(caches)
    assert not (tmp_path / "made").exists()


def test_the_folder_is_no_link_no_file_and_not_writable_by_others(caches, tmp_path):
    folder = folder_in(caches)
    caches.mkdir()
    (tmp_path / "other").mkdir(mode=0o700)
    folder.symlink_to(tmp_path / "other")
    assert not is_alone(caches)
    assert not list((tmp_path / "other").iterdir())
    folder.unlink()
    folder.write_text("a file")
    assert not is_alone(caches)
    folder.unlink()
    folder.mkdir()
    folder.chmod(0o770)
    assert not is_alone(caches)
    folder.chmod(0o755)  # read it they may
    assert is_alone(caches)


def test_somebody_elses_folder_is_not_used(caches, monkeypatch):
    assert is_alone(caches)
    stranger, name = os.geteuid() + 1, folder_in(caches)
    monkeypatch.setattr(jit.os, "geteuid", lambda: stranger)
    name.rename(name.with_name(f"kl_plugins-{stranger}"))
    assert not is_alone(caches)


def test_a_kept_lock_is_waited_for_once_and_not_for_ever(caches, monkeypatch):
    waits = []
    with held(caches), monkeypatch.context() as patch:
        patch.setattr(jit.time, "monotonic", lambda: sum(waits))
        patch.setattr(jit.time, "sleep", waits.append)
        with one_process_at_a_time(str(caches), patience=0.2) as alone:
            assert not alone
        assert 0.2 <= sum(waits) < 0.3
        patch.setattr(jit.time, "sleep", without_waiting)
        with one_process_at_a_time(str(caches), patience=60.0) as alone:
            assert not alone


def test_a_lock_that_is_taken_anew_is_waited_for(caches, monkeypatch):
    """Of one who compiles function after function: his lock is kept for as long as each takes."""
    waits, lock = [], folder_in(caches) / "compilation.lock"

    def work_goes_on(seconds):
        waits.append(seconds)
        os.utime(lock, ns=(len(waits), len(waits)))

    with held(caches), monkeypatch.context() as patch:
        patch.setattr(jit.time, "monotonic", lambda: 10.0 * min(len(waits), 50))
        patch.setattr(
            jit.time, "sleep", lambda seconds: work_goes_on(seconds) if len(waits) < 40 else waits.append(0)
        )
        with one_process_at_a_time(str(caches), patience=60.0) as alone:
            assert not alone
    assert len(waits) > 40


def test_a_lock_is_released_though_a_fork_has_it_open(caches, monkeypatch):
    opened, copies = jit._opened, []

    def inherited(caches):
        lock = opened(caches)
        copies.append(os.dup(lock))
        return lock

    with monkeypatch.context() as patch:
        patch.setattr(jit, "_opened", inherited)
        assert is_alone(caches)
    assert is_alone(caches)
    os.close(*copies)


@pytest.mark.parametrize(
    "given", [{"XDG_CACHE_HOME": "relative"}, {"XDG_CACHE_HOME": ""}, {"NUMBA_CACHE_DIR": "/somewhere"}]
)
def test_where_caches_are(given, monkeypatch, caches):
    monkeypatch.setenv("HOME", "/home/me")
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    expected = "/home/me/Library/Caches" if sys.platform == "darwin" else "/home/me/.cache"
    assert cache_folder() == given.get("NUMBA_CACHE_DIR", expected)


def test_a_home_that_nobody_knows_is_no_folder(monkeypatch, caches):
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr(jit.os.path, "expanduser", lambda path: path)
    assert cache_folder() is None
    with one_process_at_a_time(cache_folder()) as alone:
        assert not alone


def compiled(calls):
    """A decorator that notes how it was called, as Numba's is."""

    def decorate(**options):
        def apply(function):
            calls.append(options)
            return function

        return apply

    return decorate


def test_without_a_lock_nothing_is_cached(caches, monkeypatch):
    calls = []
    assert cached(compiled(calls), inline="never")(len) is len
    caches.rename(caches.with_name("moved"))
    caches.write_text("no folder")
    assert cached(compiled(calls), inline="never")(len) is len
    assert calls == [{"inline": "never", "cache": True}, {"inline": "never"}]


@pytest.mark.parametrize("error", [OSError(28, "no space left"), RuntimeError("no locator"), EOFError()])
def test_where_the_cache_fails_the_function_is_compiled_without(error, caches):
    def decorate(cache=False):
        def apply(function):
            if cache:
                raise error
            return function

        return apply

    assert cached(decorate)(len) is len


def test_errors_of_the_function_are_seen(caches):
    def decorate(cache=False):
        raise RuntimeError("in the function itself")

    with pytest.raises(RuntimeError, match="in the function itself"):
        cached(decorate)(len)
    assert is_alone(caches)  # and the lock is free again
