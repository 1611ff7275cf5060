"""Stores a study's manifest, participants and choices in one SQLite file.

A choice is on disk before it is confirmed, so a crash loses no confirmed choice.
"""

from collections.abc import Iterator
import contextlib
import dataclasses
import datetime
import os
import secrets
import sqlite3
import threading
import unicodedata

from z2i_tf.errors import InputError
from z2i_tf.study.manifest import StudyManifest
from z2i_tf.study.pairs import order_for
from z2i_tf.study.pairs import Showing

FILE_NAME = "study.sqlite"
# Maximum length of participants' names, characters.
_MAX_NAME_LENGTH = 100

# Orders are stored, so that choices keep their meaning if Python's random numbers change.
_TABLES = (
  "CREATE TABLE study (record TEXT NOT NULL)",
  "CREATE TABLE participants (number INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, name TEXT NOT NULL,"
  " token TEXT NOT NULL UNIQUE, joined_at TEXT NOT NULL)",
  "CREATE TABLE showings (participant INTEGER NOT NULL REFERENCES participants, position INTEGER NOT NULL,"
  " pair INTEGER NOT NULL, ours_is_a INTEGER NOT NULL, PRIMARY KEY (participant, position))",
  "CREATE TABLE choices (participant INTEGER NOT NULL, position INTEGER NOT NULL,"
  " chose_a INTEGER NOT NULL CHECK (chose_a IN (0, 1)), chosen_at TEXT NOT NULL,"
  " PRIMARY KEY (participant, position),"
  " FOREIGN KEY (participant, position) REFERENCES showings (participant, position))",
)


class UnknownParticipant(LookupError):
  """No participant has this token."""


class NotNext(ValueError):
  """The choice is not for the participant's next pair: it is a late or a second answer, and is not stored."""


@dataclasses.dataclass(frozen=True)
class Progress:
  """A participant's progress.

  Attributes:
    token: secret that identifies the participant's page.
    name: name as first given.
    answered: number of answered pairs, which is also the position, from 0, of the next one.
    total: number of pairs.
  """

  token: str
  name: str
  answered: int
  total: int


class Store:
  """An open study. Threads may share it, and several processes may open it."""

  def __init__(self, study_dir: str):
    """Opens a study; raises InputError if the folder holds none."""
    self._path = os.path.join(study_dir, FILE_NAME)
    self._lock = threading.Lock()
    if not exists(study_dir):
      raise InputError(
        f"{study_dir}: no study in it; z2i study `result_dir`=NAME=DIR,NAME2=DIR2 `ours`=NAME "
        f"`study_dir`={study_dir} prepares one"
      )
    self._connection = _connect(self._path)
    try:
      ((text,),) = self._connection.execute("SELECT record FROM study")
      self.manifest = StudyManifest.from_json(text)
    except (sqlite3.Error, ValueError) as error:
      self._connection.close()
      raise InputError(f"{self._path}: not a study that this version can read: {error}") from error

  def close(self) -> None:
    """Waits for the current call and closes the file. Later calls raise sqlite3.ProgrammingError."""
    with self._lock:
      self._connection.close()

  def join(self, name: str) -> Progress:
    """Returns the progress of the participant with this name or code; adds a new one, with an order of the pairs.

    Capitals, repeated spaces and spaces at the ends make no difference.

    Raises: InputError if the name is empty, too long or not printable.
    """
    name = " ".join(unicodedata.normalize("NFKC", name).split())
    if not name:
      raise InputError("Please give a name or a code.")
    if len(name) > _MAX_NAME_LENGTH or not name.isprintable():
      raise InputError(f"Please give a name of at most {_MAX_NAME_LENGTH} ordinary characters.")
    key = name.casefold()
    with self._changing() as connection:
      if not connection.execute("SELECT 1 FROM participants WHERE key = ?", (key,)).fetchone():
        number = connection.execute(
          "INSERT INTO participants (key, name, token, joined_at) VALUES (?, ?, ?, ?)",
          (key, name, secrets.token_urlsafe(16), _now()),
        ).lastrowid
        connection.executemany(
          "INSERT INTO showings VALUES (?, ?, ?, ?)",
          [
            (number, position, showing.pair, showing.ours_is_a)
            for position, showing in enumerate(order_for(self.manifest.pairs, key, self.manifest.seed))
          ],
        )
      (token,) = connection.execute("SELECT token FROM participants WHERE key = ?", (key,)).fetchone()
      return self._progress(token)[1]

  def progress(self, token: str) -> Progress:
    """Returns a participant's progress; raises UnknownParticipant."""
    with self._lock:
      return self._progress(token)[1]

  def showing(self, token: str, position: int) -> Showing:
    """Returns the pair at a position, from 0, of a participant's order; raises UnknownParticipant or IndexError."""
    with self._lock:
      number, _ = self._progress(token)
      found = self._connection.execute(
        "SELECT pair, ours_is_a FROM showings WHERE participant = ? AND position = ?", (number, position)
      ).fetchone()
    if found is None:
      raise IndexError(position)
    return Showing(found[0], bool(found[1]))

  def choose(self, token: str, position: int, chose_a: bool) -> Progress:
    """Stores a choice on the disk.

    Raises: UnknownParticipant; NotNext if the participant's next pair has another `position`; sqlite3.Error if it
      cannot be stored.
    """
    with self._changing() as connection:
      number, progress = self._progress(token)
      if position != progress.answered or position >= progress.total:
        raise NotNext(f"position {position}, expected {progress.answered}")
      connection.execute("INSERT INTO choices VALUES (?, ?, ?, ?)", (number, position, chose_a, _now()))
    return dataclasses.replace(progress, answered=progress.answered + 1)

  def participants(self) -> list[Progress]:
    """Returns all participants in the order of joining."""
    with self._lock:
      tokens = self._connection.execute("SELECT token FROM participants ORDER BY number").fetchall()
      return [self._progress(token)[1] for (token,) in tokens]

  def outcomes(self) -> list[tuple[int, bool]]:
    """Returns for every choice the index of its pair, and whether ours was preferred."""
    with self._lock:
      rows = self._connection.execute(
        "SELECT pair, chose_a = ours_is_a FROM choices JOIN showings USING (participant, position)"
        " ORDER BY participant, position"
      ).fetchall()
    return [(pair, bool(ours)) for pair, ours in rows]

  def _progress(self, token) -> tuple[int, Progress]:
    """Returns a participant's number and progress; the lock must be held."""
    found = self._connection.execute("SELECT number, name FROM participants WHERE token = ?", (token,)).fetchone()
    if found is None:
      raise UnknownParticipant(token)
    number, name = found
    ((answered,),) = self._connection.execute("SELECT COUNT(*) FROM choices WHERE participant = ?", (number,))
    return number, Progress(token, name, answered, len(self.manifest.pairs))

  @contextlib.contextmanager
  def _changing(self) -> Iterator[sqlite3.Connection]:
    """Runs the block in a transaction that excludes threads and other processes; undoes it if the block raises."""
    with self._lock, _transaction(self._connection):
      yield self._connection


def exists(study_dir: str) -> bool:
  """Returns whether a folder holds a study; raises InputError if its file is of another kind."""
  path = os.path.join(study_dir, FILE_NAME)
  if not os.path.exists(path):
    return False
  connection = _connect(path)
  try:  # A preparation that was killed may have left a file without tables.
    return connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'study'").fetchone() is not None
  except sqlite3.Error as error:
    raise InputError(f"{path}: cannot be read as a study: {error}") from error
  finally:
    connection.close()


def create(study_dir: str, manifest: StudyManifest) -> None:
  """Writes a study into a folder, whole or not at all; raises InputError if it holds one, or cannot be written."""
  path = os.path.join(study_dir, FILE_NAME)
  connection = _connect(path)
  try:
    with _transaction(connection):
      for table in _TABLES:
        connection.execute(table)
      connection.execute("INSERT INTO study VALUES (?)", (manifest.to_json(),))
  except sqlite3.Error as error:
    raise InputError(f"{path}: a study cannot be made here: {error}") from error
  finally:
    connection.close()


@contextlib.contextmanager
def _transaction(connection) -> Iterator[None]:
  connection.execute("BEGIN IMMEDIATE")
  try:
    yield
    connection.execute("COMMIT")
  except BaseException:
    if connection.in_transaction:
      connection.execute("ROLLBACK")
    raise


def _connect(path) -> sqlite3.Connection:
  try:
    # No isolation level: transactions are begun and ended here, not by the module.
    connection = sqlite3.connect(path, timeout=30, isolation_level=None, check_same_thread=False)
    try:
      connection.execute("PRAGMA foreign_keys = ON")
      connection.execute("PRAGMA synchronous = FULL")  # A commit waits for the disk.
    except BaseException:
      connection.close()
      raise
  except sqlite3.Error as error:
    raise InputError(f"{path}: cannot be opened: {error}") from error
  return connection


def _now() -> str:
  return datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="milliseconds")
